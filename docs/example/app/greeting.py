"""Greets people."""

GREETING = "Hello"


def greet(name):
    return GREETING + ", " + name


def main():
    print(greet("world"))
