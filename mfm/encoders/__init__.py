"""The networks of the multimodal encoders Q(Z_y | X), one file each; `mfm.params.encoders` declares them."""
