"""Speech and language vendors, behind three small contracts (`contract.py`). They get plain values and never see the
database."""
