"""Cases: tests that call a program from outside and compare what comes back, out of the program's reach."""
