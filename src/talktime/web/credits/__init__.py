"""The pages about credit: what there is, where it went, what was bought, and what may be spent."""
