"""The field lists of Freddie Mac's files."""

import re

import pytest
from headwater.errors import DefinitionError
from headwater_assets.loans.layout import ORIGINATION_FIELDS, PERFORMANCE_FIELDS, fields_for

TYPE = re.compile(r"string|int|long|double|date_yyyymm|decimal\(\d+,\d+\)")


@pytest.mark.parametrize("fields", [ORIGINATION_FIELDS, PERFORMANCE_FIELDS], ids=["origination", "performance"])
def test_each_list_has_32_distinct_documented_typed_fields(fields):
    """Every field has a usable name of its own, a known type and one line of documentation."""
    assert len(fields) == 32
    assert len({field.name for field in fields}) == 32
    for field in fields:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name)
        assert TYPE.fullmatch(field.type)
        assert field.doc.endswith(".")
        assert "\n" not in field.doc


@pytest.mark.parametrize(
    ("fields", "place", "name"),
    [
        (ORIGINATION_FIELDS, 1, "credit_score"),
        (ORIGINATION_FIELDS, 11, "original_upb"),
        (ORIGINATION_FIELDS, 20, "loan_sequence_number"),
        (ORIGINATION_FIELDS, 25, "servicer_name"),
        (ORIGINATION_FIELDS, 32, "mi_cancellation_indicator"),
        (PERFORMANCE_FIELDS, 1, "loan_sequence_number"),
        (PERFORMANCE_FIELDS, 4, "current_loan_delinquency_status"),
        (PERFORMANCE_FIELDS, 9, "zero_balance_code"),
        (PERFORMANCE_FIELDS, 22, "actual_loss_calculation"),
        (PERFORMANCE_FIELDS, 32, "interest_bearing_upb"),
    ],
)
def test_fields_stand_where_the_public_guide_puts_them(fields, place, name):
    """Positions are those of Freddie Mac's guide, counted from 1."""
    assert fields[place - 1].name == name


def test_the_missing_codes_are_those_of_the_guide():
    """Scores, percentages, counts and flags have the codes that mean not available."""
    codes = {field.name: field.missing for field in ORIGINATION_FIELDS}
    assert codes["credit_score"] == ("9999",)
    assert codes["original_dti"] == codes["original_ltv"] == codes["mortgage_insurance_percentage"] == ("999",)
    assert codes["number_of_units"] == codes["number_of_borrowers"] == ("99",)
    assert codes["channel"] == codes["first_time_homebuyer_flag"] == ("9",)
    assert codes["original_upb"] == ()


def test_32_fields_are_the_layout_of_the_guide():
    """A file with 32 fields of either kind is read by the two lists."""
    assert fields_for("origination", 32) == ORIGINATION_FIELDS
    assert fields_for("performance", 32) == PERFORMANCE_FIELDS


def test_release_47_moves_the_servicer_to_the_performance_file():
    """31 origination and 35 performance fields are release 47's: no field is read under its neighbour's name."""
    origination = [field.name for field in fields_for("origination", 31)]
    performance = [field.name for field in fields_for("performance", 35)]
    assert origination[23:25] == ["seller_name", "super_conforming_flag"]
    assert origination[30] == "vantage_score"
    assert performance[:32] == [field.name for field in PERFORMANCE_FIELDS]
    assert performance[32:] == ["mi_cancellation_indicator", "servicer_name", "bankruptcy_cramdown_costs"]


@pytest.mark.parametrize(
    ("kind", "count"),
    [("origination", 30), ("origination", 35), ("performance", 31), ("performance", 0)],
)
def test_another_field_count_is_refused_by_name(kind, count):
    """The error names the kind of file, its count and the counts that are known."""
    with pytest.raises(DefinitionError, match=rf"{kind} file has 32 or 3[15] fields, and this one has {count};"):
        fields_for(kind, count)
