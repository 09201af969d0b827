"""The mathematics of measured difficulty: priors, posteriors, and who gets the next rollouts."""
