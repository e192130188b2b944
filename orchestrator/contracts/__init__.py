"""What objectives, runners and stores must keep, as checks for whoever writes another."""
