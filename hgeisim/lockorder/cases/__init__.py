"""Case files: small lock programs, each with the verdict that the validator must give."""
