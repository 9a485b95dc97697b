"""raw.loan_origination: the origination files as they arrived."""

from headwater.table import DelimitedFiles, Partitioning, Table

from headwater_assets.loans._reading import FIRST_YEAR, text_columns, variants

raw_loan_origination = Table(
    name="raw.loan_origination",
    doc="One line per loan of Freddie Mac's single-family origination files, kept byte for byte.",
    owner="team:loans",
    columns=text_columns("origination", pii=["postal_code"]),
    files=DelimitedFiles(
        folder="data/loans",
        pattern=r"(?:historical_data_|sample_orig_)(?P<key>\d{4})(?:Q[1-4])?\.txt",
        variants=variants("origination"),
    ),
    partitioning=Partitioning("year", by="year", start=FIRST_YEAR),
)
