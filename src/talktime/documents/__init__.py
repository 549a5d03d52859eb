"""Documents of money: invoices, credit notes, statements, receipts. Plain values in, pages or text out; no database, no
network, no clock: the same document gives the same bytes.
"""
