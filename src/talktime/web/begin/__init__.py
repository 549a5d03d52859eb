"""The first hour of a customer: from “what is your business?” to an agent that answers a number.

The one rule: nothing remembers how far somebody is. Each time it is told from what exists (`progress`), so that one may
leave at any step, come back in another browser, and go back to each step.
"""
