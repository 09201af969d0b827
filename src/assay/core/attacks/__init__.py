"""Scripted non-fixes: ways to look like a solution without being one.

None of them repairs anything, so a verifier that accepts one has been fooled. Each module holds the attacks of one
family of mechanisms; `battery` lists them all. Attacks are built here as files and run only inside a sandbox.
"""
