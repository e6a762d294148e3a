"""One command, or one group of commands, a file: ``register(app)`` puts it on the command line.

Heavy modules are imported inside the commands, so that ``--help`` stays quick.
"""
