"""Running a plan, in this process or on Ray Tune."""
