"""raw.loan_performance: the monthly performance files as they arrived."""

from headwater.table import DelimitedFiles, Partitioning, Table

from headwater_assets.loans._reading import FIRST_YEAR, text_columns, variants

raw_loan_performance = Table(
    name="raw.loan_performance",
    doc="One line per loan and month of Freddie Mac's single-family performance files, kept byte for byte.",
    owner="team:loans",
    columns=text_columns("performance"),
    files=DelimitedFiles(
        folder="data/loans",
        pattern=r"(?:historical_data_time_|sample_svcg_)(?P<key>\d{4})(?:Q[1-4])?\.txt",
        variants=variants("performance"),
    ),
    partitioning=Partitioning("year", by="year", start=FIRST_YEAR),
)
