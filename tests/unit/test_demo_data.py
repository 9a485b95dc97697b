"""The demo data generator."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict

import pytest
from click.testing import CliRunner
from headwater.errors import ConfigError
from headwater_assets.loans import demo_data as generator
from headwater_assets.loans._places import STATES
from headwater_assets.loans.commands import demo_data
from headwater_assets.loans.demo_data import MALFORMED_KINDS, MANIFEST, LoansRequest, write_loans
from headwater_assets.loans.layout import ORIGINATION_FIELDS, PERFORMANCE_FIELDS

ORIGINATION = {field.name: place for place, field in enumerate(ORIGINATION_FIELDS)}
PERFORMANCE = {field.name: place for place, field in enumerate(PERFORMANCE_FIELDS)}
WRITE = """
import resource, sys
from pathlib import Path
from headwater_assets.loans.demo_data import LoansRequest, write_loans
rows, months, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
write_loans(LoansRequest(rows=rows, first_year=2019, last_year=2019, months=months), out)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def request(**changes):
    """Return a small request."""
    return LoansRequest(**{"rows": 400, "first_year": 2018, "last_year": 2019, "months": 6, **changes})


def digests(folder):
    """Return the data files' hashes by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.txt")}


def read(folder, pattern):
    """Return the files' lines as lists of values."""
    return [line.split("|") for path in sorted(folder.glob(pattern)) for line in path.read_text().splitlines()]


def damage(values, number, month):
    """Say what a careful reader finds wrong with a line."""
    if len(values) != 32:
        return "wrong_field_count"
    try:
        float(values[number])
    except ValueError:
        return "letters_in_number"
    return None if 1 <= int(values[month][4:]) <= 12 else "impossible_month"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """16,000 loans of two years, their summary and their good lines."""
    folder = tmp_path_factory.mktemp("loans")
    summary = write_loans(request(rows=16_000, first_year=2007, last_year=2008, months=12), folder)
    loans = read(folder, "historical_data_2*.txt")
    months = read(folder, "historical_data_time_*.txt")
    good_loans = [
        line for line in loans if not damage(line, ORIGINATION["original_upb"], ORIGINATION["first_payment_date"])
    ]
    good_months = [
        line
        for line in months
        if not damage(line, PERFORMANCE["current_actual_upb"], PERFORMANCE["monthly_reporting_period"])
    ]
    return {
        "folder": folder,
        "summary": summary,
        "origination": loans,
        "performance": months,
        "loans": good_loans,
        "months": good_months,
    }


def test_each_quarter_has_both_files(made):
    """The names are Freddie Mac's, four quarters a year, and loans are split evenly over them."""
    names = {path.name for path in made["folder"].glob("*.txt")}
    quarters = [f"{year}Q{quarter}" for year in (2007, 2008) for quarter in (1, 2, 3, 4)]
    assert names == {f"historical_data_{kind}{quarter}.txt" for kind in ("", "time_") for quarter in quarters}
    per_quarter = Counter(line[ORIGINATION["loan_sequence_number"]][:5] for line in made["loans"])
    assert set(per_quarter.values()) == {2000}


def test_the_same_request_gives_the_same_bytes(tmp_path):
    """Two runs agree in every byte; another seed differs."""
    write_loans(request(), tmp_path / "a")
    write_loans(request(), tmp_path / "b")
    write_loans(request(seed=2), tmp_path / "c")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


@pytest.mark.parametrize("loans", [7, 1000])
def test_the_chunk_size_changes_nothing(tmp_path, monkeypatch, loans):
    """The bytes are the same however many loans are drawn at a time, across malformed lines too."""
    monkeypatch.setattr("headwater_assets.loans._files.GOOD_LINES_PER_MALFORMED", 50)
    write_loans(request(), tmp_path / "usual")
    monkeypatch.setattr(generator, "_LOANS_PER_CHUNK", loans)
    summary = write_loans(request(), tmp_path / "other")
    assert digests(tmp_path / "usual") == digests(tmp_path / "other")
    assert sum(summary.malformed("performance").values()) > 20


def test_every_good_line_has_32_fields_and_the_rest_is_counted(made):
    """Good and malformed lines add up to all lines, by kind, in the summary and in the manifest."""
    manifest = json.loads((made["folder"] / MANIFEST).read_text())
    for kind, number, month in (
        ("origination", ORIGINATION["original_upb"], ORIGINATION["first_payment_date"]),
        ("performance", PERFORMANCE["current_actual_upb"], PERFORMANCE["monthly_reporting_period"]),
    ):
        found = Counter(damage(line, number, month) for line in made[kind])
        assert {name: found[name] for name in MALFORMED_KINDS} == made["summary"].malformed(kind)
        assert len(made[kind]) == made["summary"].lines(kind)
        files = [file for file in manifest["files"] if file["kind"] == kind]
        assert sum(file["lines"] for file in files) == len(made[kind])
        assert (
            sum(file["malformed"][name] for file in files for name in MALFORMED_KINDS) == len(made[kind]) - found[None]
        )
    assert len(made["loans"]) == 16_000


def test_one_in_20_000_lines_is_malformed_and_each_kind_is_there(made):
    """The first file of each sort ends with all kinds; the others come after every 20,000th good line."""
    malformed = made["summary"].malformed("performance")
    assert sum(malformed.values()) == 3 + len(made["months"]) // 20_000
    for name in ("historical_data_2007Q1.txt", "historical_data_time_2007Q1.txt"):
        file = next(file for file in made["summary"].files if file.name == name)
        assert all(file.malformed[kind] >= 1 for kind in MALFORMED_KINDS)


def test_even_one_loan_brings_every_kind_of_malformed_line(tmp_path):
    """The smallest data set has them too; quarters without loans are empty files."""
    summary = write_loans(request(rows=1, first_year=2019), tmp_path)
    assert summary.malformed("origination") == summary.malformed("performance") == dict.fromkeys(MALFORMED_KINDS, 1)
    assert (tmp_path / "historical_data_2019Q4.txt").read_bytes() == b""


def test_a_file_never_begins_with_a_malformed_line(made):
    """The layout is chosen by the first line's field count, so that line is good."""
    for path in made["folder"].glob("*.txt"):
        with path.open() as lines:
            assert lines.readline().count("|") == 31


def test_every_performance_line_belongs_to_a_good_loan(made):
    """Also the malformed ones, which copy a loan's line; every loan has lines, from age 1 without a gap."""
    place = ORIGINATION["loan_sequence_number"]
    known = [line[place] for line in made["loans"]]
    assert len(set(known)) == len(known)
    assert {line[0] for line in made["performance"]} == set(known)
    ages = defaultdict(list)
    for line in made["months"]:
        ages[line[0]].append(int(line[PERFORMANCE["loan_age"]]))
    assert all(found == list(range(1, len(found) + 1)) and len(found) <= 12 for found in ages.values())


def test_malformed_loans_have_numbers_of_their_own(made):
    """Leaving a malformed origination line out loses no loan."""
    good = {id(line) for line in made["loans"]}
    extra = [line for line in made["origination"] if id(line) not in good]
    assert len(extra) == sum(made["summary"].malformed("origination").values())
    numbers = [line[ORIGINATION["loan_sequence_number"]] for line in extra]
    assert all(number[5] == "9" and len(number) == 12 for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_a_loan_ends_at_most_once_and_in_its_last_line(made):
    """The zero balance code stands in the last line only, with the balance removed and, after a default, the loss."""
    last = {line[0]: line for line in made["months"]}
    ended = [line for line in made["months"] if line[PERFORMANCE["zero_balance_code"]]]
    codes = Counter(line[PERFORMANCE["zero_balance_code"]] for line in ended)
    assert set(codes) == {"01", "02", "03", "09"}
    for line in ended:
        assert line is last[line[0]]
        assert float(line[PERFORMANCE["current_actual_upb"]]) == 0
        assert float(line[PERFORMANCE["zero_balance_removal_upb"]]) > 0
        defaulted = line[PERFORMANCE["zero_balance_code"]] != "01"
        assert bool(line[PERFORMANCE["actual_loss_calculation"]]) == defaulted
        assert bool(line[PERFORMANCE["net_sales_proceeds"]]) == defaulted


def test_a_loss_is_what_its_parts_add_up_to(made):
    """Proceeds, recoveries and (negative) expenses less balance and interest owed."""

    def amount(line, name):
        return float(line[PERFORMANCE[name]])

    checked = 0
    for line in made["months"]:
        if not line[PERFORMANCE["actual_loss_calculation"]] or line[PERFORMANCE["net_sales_proceeds"]] == "U":
            continue
        came = sum(
            amount(line, name) for name in ("net_sales_proceeds", "mi_recoveries", "non_mi_recoveries", "expenses")
        )
        owed = amount(line, "zero_balance_removal_upb") + amount(line, "delinquent_accrued_interest")
        assert amount(line, "actual_loss_calculation") == pytest.approx(came - owed, abs=0.011)
        assert amount(line, "actual_loss_calculation") <= 0
        checked += 1
    assert checked > 20


def test_status_moves_by_one_month_at_most_when_it_worsens(made):
    """Delinquency grows a month at a time, and a foreclosed property stays foreclosed."""
    before = {}
    for line in made["months"]:
        status = line[PERFORMANCE["current_loan_delinquency_status"]]
        earlier = before.get(line[0], "0")
        if earlier == "RA":
            assert status == "RA"
        elif status != "RA":
            assert int(status) <= int(earlier) + 1
        before[line[0]] = status


def test_a_paid_loan_amortises(made):
    """The balance of a loan that is never late falls with every month and agrees with the formula."""
    loan = {line[ORIGINATION["loan_sequence_number"]]: line for line in made["loans"]}
    line = next(
        line
        for line in made["months"]
        if line[PERFORMANCE["loan_age"]] == "12" and line[PERFORMANCE["current_loan_delinquency_status"]] == "0"
    )
    terms = loan[line[0]]
    rate = float(terms[ORIGINATION["original_interest_rate"]]) / 1200
    term, upb = int(terms[ORIGINATION["original_loan_term"]]), int(terms[ORIGINATION["original_upb"]])
    balance = upb * ((1 + rate) ** term - (1 + rate) ** 12) / ((1 + rate) ** term - 1)
    assert float(line[PERFORMANCE["current_actual_upb"]]) == pytest.approx(balance, abs=0.011)


def test_weak_borrowers_and_risky_sellers_fall_behind_more_often(made):
    """Delinquency rises as scores fall, as loan-to-value rises, and differs by seller."""
    late = {
        line[0] for line in made["months"] if line[PERFORMANCE["current_loan_delinquency_status"]] not in {"0", "1"}
    }

    def rate(chosen):
        numbers = [line[ORIGINATION["loan_sequence_number"]] for line in made["loans"] if chosen(line)]
        return sum(number in late for number in numbers) / len(numbers)

    def value(line, name):
        return int(line[ORIGINATION[name]])

    assert rate(lambda line: value(line, "credit_score") < 680) > 3 * rate(
        lambda line: 780 < value(line, "credit_score") < 9999,
    )
    assert rate(lambda line: 90 < value(line, "original_ltv") < 999) > 1.5 * rate(
        lambda line: value(line, "original_ltv") < 60,
    )
    seller = ORIGINATION["seller_name"]
    assert rate(lambda line: line[seller].startswith("REDBUD")) > 1.5 * rate(
        lambda line: line[seller].startswith("BLUESTEM"),
    )


def test_values_are_plausible_and_some_are_missing(made):
    """Scores centre at 745; every state is there with its own postal codes; coded, spaced and empty values occur."""
    scores = [int(line[0]) for line in made["loans"]]
    known = [score for score in scores if score != 9999]
    assert 743 < sum(known) / len(known) < 747
    assert min(known) >= 300
    assert max(known) <= 850
    prefixes = {state.code: range(state.first_prefix, state.last_prefix + 1) for state in STATES}
    assert len(prefixes) == 52
    assert {line[ORIGINATION["property_state"]] for line in made["loans"]} == set(prefixes)
    areas = defaultdict(set)
    for line in made["loans"]:
        state, postal = line[ORIGINATION["property_state"]], line[ORIGINATION["postal_code"]]
        assert int(postal[:3]) in prefixes[state]
        assert postal.endswith("00")
        areas[postal].add(line[ORIGINATION["metropolitan_statistical_area"]])
        assert int(line[ORIGINATION["original_upb"]]) % 1000 == 0
    assert all(len(found) == 1 for found in areas.values())
    coded = {
        "credit_score": "9999",
        "original_dti": "999",
        "mortgage_insurance_percentage": "999",
        "number_of_units": "99",
        "number_of_borrowers": "99",
        "channel": "9",
        "super_conforming_flag": " ",
        "metropolitan_statistical_area": "",
    }
    for name, code in coded.items():
        assert any(line[ORIGINATION[name]] == code for line in made["loans"]), name


def test_a_second_run_of_the_same_request_writes_nothing(tmp_path):
    """It is skipped, and says what the first one said; --force writes again."""
    first = write_loans(request(), tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.txt")}
    said = []
    second = write_loans(request(), tmp_path, say=said.append)
    assert second.already_there
    assert second.files == first.files
    assert "already there" in said[0]
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.txt")}
    assert not write_loans(request(), tmp_path, force=True).already_there


def test_another_request_replaces_what_was_made_up(tmp_path):
    """It says so, and leaves no file of the old data set behind."""
    said = []
    write_loans(request(), tmp_path)
    write_loans(request(first_year=2019), tmp_path, say=said.append)

    assert "another request, which these replace" in said[0]
    assert len(list(tmp_path.glob("*.txt"))) == 8


def test_made_up_files_that_somebody_changed_are_not_replaced_unless_forced(tmp_path):
    """Not even by a request that would only remove them."""
    write_loans(request(), tmp_path)
    theirs = tmp_path / "historical_data_2018Q1.txt"
    theirs.write_text("mine now\n")
    old = digests(tmp_path)
    with pytest.raises(ConfigError, match=r"historical_data_2018Q1.txt is no longer as it was made up; add --force"):
        write_loans(request(first_year=2019), tmp_path)

    assert digests(tmp_path) == old
    assert not write_loans(request(first_year=2019), tmp_path, force=True).already_there
    assert not theirs.exists()


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path):
    """A real file under one of the names stops the run before anything is written."""
    theirs = tmp_path / "historical_data_time_2019Q3.txt"
    theirs.write_text("real\n")
    with pytest.raises(ConfigError, match=r"historical_data_time_2019Q3.txt exists already; add --force"):
        write_loans(request(), tmp_path)
    assert theirs.read_text() == "real\n"
    assert len(list(tmp_path.glob("*.txt"))) == 1


def test_a_damaged_file_is_noticed(tmp_path):
    """A data set whose file was cut short is not taken for the same."""
    write_loans(request(), tmp_path)
    (tmp_path / "historical_data_2018Q2.txt").write_text("short\n")
    with pytest.raises(ConfigError, match="--force"):
        write_loans(request(), tmp_path)


def test_a_killed_run_leaves_no_final_file(tmp_path):
    """Killed in the middle, nothing stands under a final name, and the next run succeeds and cleans up."""
    run = subprocess.Popen([sys.executable, "-c", WRITE, "3000000", "12", str(tmp_path)], stdout=subprocess.DEVNULL)
    partial = tmp_path / ".demo-data.partial"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not sum(path.stat().st_size for path in partial.glob("*time*")):
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert list(partial.glob("*.txt"))
    assert not list(tmp_path.glob("*.txt"))
    assert not (tmp_path / MANIFEST).exists()
    write_loans(request(), tmp_path)
    assert not partial.exists()


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    """A write that the system refuses ends as a ConfigError, with the partial files removed."""
    limited = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, {resource.RLIM_INFINITY}))
from headwater.errors import ConfigError
try:
    exec({WRITE!r})
except ConfigError as error:
    print(error)
"""
    command = [sys.executable, "-c", limited, "20000", "6", str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"Cannot write demo data into {tmp_path}: File too large.")
    assert not list(tmp_path.glob("*.txt"))
    assert not (tmp_path / ".demo-data.partial").exists()


def test_memory_does_not_grow_with_the_loans(tmp_path):
    """20 times the loans need about the same memory."""
    peaks = []
    for rows in (20_000, 400_000):
        command = [sys.executable, "-c", WRITE, str(rows), "3", str(tmp_path / str(rows))]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] - peaks[0] < 64


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": 0}, "Cannot make 0 loans"),
        ({"rows": 10**9}, "Cannot make 1,000,000,000 loans"),
        ({"first_year": 2020, "last_year": 2019}, "run backwards"),
        ({"first_year": 1998}, "not all within 1999-2025"),
        ({"last_year": 2026}, "not all within 1999-2025"),
        ({"months": 0}, "Cannot report 0 months"),
        ({"months": 361}, "Cannot report 361 months"),
        ({"seed": -1}, "Seed -1 is negative"),
    ],
)
def test_values_out_of_range_are_refused(changes, said):
    """Each is one sentence that says what would be accepted."""
    with pytest.raises(ConfigError, match=said):
        request(**changes)


def test_an_unusable_folder_is_one_sentence(tmp_path):
    """A folder that cannot be made is named with the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"Cannot write demo data into .*/file/loans: Not a directory"):
        write_loans(request(), tmp_path / "file" / "loans")


def test_two_runs_do_not_share_a_folder(tmp_path):
    """While one writes, another is refused."""
    errors = []

    def second(_line):
        with pytest.raises(ConfigError, match="Another run is writing") as caught:
            write_loans(request(seed=3), tmp_path)
        errors.append(caught.value)

    write_loans(request(rows=4, first_year=2019), tmp_path, say=second)
    assert errors


def test_the_command_says_what_it_wrote(tmp_path):
    """One line per file, then totals with malformed lines by kind."""
    arguments = ["loans", "--rows", "100", "--years", "2019", "--months", "2", "--out", str(tmp_path)]
    result = CliRunner().invoke(demo_data, arguments, catch_exceptions=False)
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0].startswith("historical_data_2019Q1.txt: 28 lines")
    assert lines[-2] == (
        "origination: 103 lines, of which malformed: 1 wrong_field_count, 1 letters_in_number, 1 impossible_month."
    )
    assert len(lines) == 8 + 3


def test_years_that_are_no_years_are_refused():
    """The command names what it was given and how years are written."""
    result = CliRunner().invoke(demo_data, ["loans", "--rows", "1", "--years", "2018..2019"])
    assert isinstance(result.exception, ConfigError)
    assert "write them like 2018-2020" in str(result.exception)
