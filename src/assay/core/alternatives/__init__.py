"""The reference change put otherwise: rewrites that compute the same, which a fair verifier accepts one and all.

A rewrite that does compute something else accuses a good task, so that every rule here leaves out whatever it is not
sure of. What counts as the same: all that a caller can see who does not look at what is private.
"""
