"""What a customer is told by mail: written in the transaction of the fact, sent afterwards, once."""
