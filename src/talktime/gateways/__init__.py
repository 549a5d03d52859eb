"""Payment companies, behind one contract (`contract.py`). They get plain values and never see the database."""
