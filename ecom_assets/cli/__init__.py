"""The `ecom` command and the runs that it starts.

Here belong what is asked on the command line, how answers are shown, and what to do about an error. What an answer is
made of belongs elsewhere. Commands import what they need when they are called, so that `ecom --help` is quick.
"""
