"""Twins of tests: the same test with an expectation that is wrong, so that an honest program fails it.

Hidden tests run in the candidate's own process, where the candidate can forge every outcome but cannot know which
outcome is the right one: each test is met once per run, either as it is or as a twin, by the fall of a coin, at its
own place and under its own name. Whoever forges turns twins green. `cases` finds tests in a file, `expectations` the
places where they say what they expect, `values` draws wrong values, `weaving` writes the file that is run, and
`rounds` lays out which test is a twin in which run.
"""
