"""The project file: written by init, read by every command, overridden by options."""

import json
import tomllib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.cli import main
from retention_models.report import publish as publishing


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log of purchases, one of contracts, and a test, each as some program exports it."""
    folder = tmp_path_factory.mktemp("company")
    rng = np.random.default_rng(1)
    shop = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.61, beta=11.7)
    log = shop.simulate_transactions(np.linspace(10, 39, 400), rng, start="2025-01-06", time_unit="W")
    orders = {
        "Customer ID": log["customer_id"],
        "Order Date": log["date"].dt.strftime("%d/%m/%Y"),
        "Order Total": [f"{amount:.2f}".replace(".", ",") for amount in rng.gamma(2, 10, len(log))],
        "Status": rng.choice(["Completed", "Cancelled"], len(log), p=[0.95, 0.05]),
        "Currency": "EUR",
    }
    pd.DataFrame(orders).to_csv(folder / "orders.csv", sep=";", index=False)
    business = rm.scenario.subscriptions(rng, customers=800)
    names = {"start": "Signup Date", "end": "Cancelled At", "cause": "Churn Reason"}
    business.contracts.rename(columns=names).to_csv(folder / "contracts.csv", index=False)
    pd.DataFrame(
        {
            "user_id": range(2000),
            "Group": np.repeat(["control", "mail & gift"], 1000),
            "converted": rng.random(2000) < 0.1,
            "revenue": rng.gamma(1, 5, 2000).round(2),
            "revenue_before": rng.gamma(1, 5, 2000).round(2),
        }
    ).to_csv(folder / "test.csv", index=False)
    return folder


@pytest.fixture
def company(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the files in it."""
    for file in files.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """The settings with which each notebook was asked to be published, instead of publishing it."""
    calls: dict[str, dict] = {}

    def publish(notebooks, output, *, settings, show_code):
        calls.update({path.stem[:2]: settings for path in notebooks})
        return output / "index.html"

    monkeypatch.setattr(publishing, "publish", publish)
    return calls


WRITTEN: dict[tuple[str, ...], str] = {}  # what init wrote for the files of the company, which never changes
COMPANY = {"orders.csv", "contracts.csv", "test.csv"}


def describe(*files: str) -> None:
    """The project file of the company's files, as init writes it."""
    assert set(files) <= COMPANY
    if files not in WRITTEN:
        init(*files)
        WRITTEN[files] = Path("project.toml").read_text(encoding="utf-8")
    Path("project.toml").write_text(WRITTEN[files], encoding="utf-8")


def init(*files: str) -> dict:
    assert main(["init", *files]) == 0
    return tomllib.loads(Path("project.toml").read_text(encoding="utf-8"))


def test_init_finds_the_kind_and_the_columns_of_each_file(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = init("orders.csv", "contracts.csv", "test.csv")
    assert project == {
        "terms": {"currency": "EUR"},
        "purchases": {
            "file": "orders.csv", "customer_id": "Customer ID", "date": "Order Date", "amount": "Order Total"
        },
        "contracts": {
            "file": "contracts.csv", "customer_id": "customer_id", "start": "Signup Date", "end": "Cancelled At",
            "cause": "Churn Reason",
        },
        "experiment": {
            "file": "test.csv", "arm": "Group", "outcome": ["converted"], "amount": "revenue", "customer_id": "user_id",
            "covariate": ["revenue_before"], "assigned_by": "unknown",
        },
    }  # fmt: skip
    assert capsys.readouterr().out.count("It can be read as described.") == 3


def test_what_init_guessed_is_marked_and_what_it_cannot_know_is_left_open(company: Path) -> None:
    init("orders.csv", "contracts.csv", "test.csv")
    lines = Path("project.toml").read_text(encoding="utf-8").splitlines()
    stated = [line for line in lines if line and not line.startswith(("#", "["))]
    assert all(line.endswith("# guessed") for line in stated if not line.startswith(("file", "assigned_by")))
    left_open = "\n".join(line for line in lines if line.startswith("# "))
    for text in (
        "# margin = 0.3",
        "(assumed: 0.3; of contracts 0.6)",
        "Status: Completed (",
        "# price = 9.9",
        '# planned_shares = {control = 1, "mail & gift" = 1}',
        "control (1,000 rows), mail & gift (1,000 rows)",
    ):
        assert text in left_open


def test_every_line_that_init_left_open_can_be_stated_as_it_stands(company: Path) -> None:
    """Uncommented, each line is one that the project file may have."""
    from retention_models.cli.project import read_project

    describe("orders.csv", "contracts.csv", "test.csv")
    lines = Path("project.toml").read_text(encoding="utf-8").splitlines()
    opened = [line.removeprefix("# ") if line.startswith("# ") and " = " in line else line for line in lines]
    Path("all.toml").write_text("\n".join(opened), encoding="utf-8")
    project = read_project(Path("all.toml"))
    assert len(project.sections["experiment"]) > 8
    assert project.sections["purchases"]["where"] == ["column=value"]


def test_report_makes_every_page_for_which_the_project_has_data(
    company: Path, asked: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    describe("orders.csv", "contracts.csv", "test.csv")
    assert main(["report"]) == 0
    assert set(asked) == {"01", "02", "04", "06"}
    assert "Using project.toml." in capsys.readouterr().err
    assert asked["02"]["transactions"] == Path("orders.csv")
    assert asked["02"]["customer_id"] == "Customer ID"
    assert asked["04"]["start"] == "Signup Date"
    assert asked["06"]["outcome"] == ["converted"]
    assert {settings["currency"] for settings in asked.values()} == {"EUR"}


def test_report_makes_pages_of_what_the_project_names_only(company: Path, asked: dict) -> None:
    describe("contracts.csv")
    assert main(["report"]) == 0
    assert set(asked) == {"04"}


def test_terms_reach_every_page_and_only_what_is_not_stated_is_assumed(company: Path, asked: dict) -> None:
    describe("orders.csv", "contracts.csv")
    text = Path("project.toml").read_text(encoding="utf-8")
    Path("project.toml").write_text(text.replace("# margin = 0.3", "margin = 0.4"), encoding="utf-8")
    assert main(["report"]) == 0
    assert asked["02"]["margin"] == asked["04"]["margin"] == 0.4
    assert asked["02"]["assumed"] == ["annual_discount_rate", "offer_cost"]
    assert asked["04"]["assumed"] == ["annual_discount_rate"]


def test_options_override_the_project_file(company: Path, asked: dict) -> None:
    describe("orders.csv", "contracts.csv")
    Path("project.toml").write_text(
        Path("project.toml").read_text(encoding="utf-8").replace("# margin = 0.3", "margin = 0.4"), encoding="utf-8"
    )
    command = ["purchases", "--margin", "0.5", "--where", "Status=Completed", "--no-amount"]
    assert main(command) == 0
    assert set(asked) == {"01", "02"}
    assert asked["01"]["margin"] == 0.5
    assert asked["01"]["amount"] is None
    assert asked["01"]["reading"] == {"where": ["Status=Completed"]}


def test_another_file_of_a_kind_is_read_as_the_project_says(company: Path, asked: dict) -> None:
    describe("orders.csv", "contracts.csv")
    Path("orders.csv").rename("july.csv")
    assert main(["purchases", "july.csv", "01"]) == 0
    assert asked["01"]["transactions"] == Path("july.csv")
    assert asked["01"]["date"] == "Order Date"
    assert main(["report", "--transactions", "july.csv"]) == 0
    assert set(asked) == {"01", "02"}


def test_files_are_named_from_the_folder_of_the_project_file(
    company: Path, asked: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe("contracts.csv")
    (company / "elsewhere").mkdir()
    monkeypatch.chdir(company / "elsewhere")
    assert main(["report", "--project", "../project.toml"]) == 0
    assert Path(asked["04"]["contracts"]).resolve() == (company / "contracts.csv").resolve()


def test_fit_and_predict_read_the_project_file(company: Path) -> None:
    describe("orders.csv")
    assert main(["fit", "--output", "fit.json"]) == 0
    assert main(["predict", "--fit", "fit.json", "--horizon", "8", "--output", "scores.csv"]) == 0
    orders = pd.read_csv("orders.csv", sep=";")
    assert set(pd.read_csv("scores.csv")["customer_id"]) == set(orders["Customer ID"])


def test_terms_of_a_project_ask_predict_for_no_value(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does fit fit another model than the project names."""
    describe("orders.csv")
    file = Path("project.toml")
    terms = "[terms]\nmargin = 0.3\nannual_discount_rate = 0.1\n"
    settings = file.read_text(encoding="utf-8").replace("[terms]\n", terms)
    settings = settings.replace("[purchases]\n", '[purchases]\nmodel = "BGNBD"\noffer_cost = 5\n')
    file.write_text(settings, encoding="utf-8")
    assert main(["fit", "--output", "fit.json"]) == 0
    assert json.loads(Path("fit.json").read_text(encoding="utf-8"))["model"]["class"] == "BGNBD"
    assert main(["predict", "--fit", "fit.json", "--horizon", "8", "--output", "scores.csv"]) == 0
    assert "expected_purchases" in pd.read_csv("scores.csv").columns
    capsys.readouterr()
    assert main(["predict", "--fit", "fit.json", "--horizon", "8", "--output", "s.csv", "--margin", "0.3"]) == 2
    assert "--margin needs --spend FILE" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--segments", "--scores"])
def test_files_beside_the_pages_are_checked_before_any_notebook_runs(
    option: str, company: Path, asked: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    describe("orders.csv")
    assert main(["purchases", option, "list.txt"]) == 2
    assert f"{option} must end in .csv or .parquet or .pq, not 'list.txt'" in capsys.readouterr().err
    assert main(["purchases", option, "no/list.csv"]) == 2
    assert f"{option} no/list.csv: there is no folder no" in capsys.readouterr().err
    assert not asked


def test_a_list_of_who_is_about_to_leave_is_checked_before_any_notebook_runs(
    company: Path, asked: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["contracts", "contracts.csv", "--scores", "list.txt"]) == 2
    assert "--scores must end in .csv or .parquet or .pq, not 'list.txt'" in capsys.readouterr().err
    assert main(["contracts", "contracts.csv", "--tenure", "months", "--scores", "list.csv"]) == 2
    assert "--scores lists customers by id, which files without dates do not have" in capsys.readouterr().err
    assert not asked


SAID = "--scores names one file, and 02_what_is_a_customer_worth and 04_when_do_subscribers_leave would write it"


def test_two_notebooks_do_not_write_one_file(company: Path, asked: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--scores", "list.csv"]) == 2
    assert SAID in capsys.readouterr().err
    assert not asked
    assert main(["report", "04", "--scores", "list.csv"]) == 0
    assert asked["04"]["scores"] == Path("list.csv")


@pytest.mark.slow
def test_a_project_names_a_list_for_each_kind_of_file(
    company: Path, asked: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    describe("orders.csv", "contracts.csv", "test.csv")
    assert main(["report", "--scores", "list.csv"]) == 2
    assert SAID in capsys.readouterr().err
    assert not asked
    text = Path("project.toml").read_text(encoding="utf-8")
    for section, file in {"[purchases]": "a.csv", "[contracts]": "b.csv"}.items():
        text = text.replace(section, f"{section}\nscores = '{file}'")
    Path("project.toml").write_text(text, encoding="utf-8")
    assert main(["report", "02", "04"]) == 0
    assert (asked["02"]["scores"], asked["04"]["scores"]) == (Path("a.csv"), Path("b.csv"))


def test_a_command_for_one_kind_of_file_does_what_report_does(company: Path, asked: dict) -> None:
    columns = ["--customer-id", "Customer ID", "--date", "Order Date", "--amount", "Order Total"]
    assert main(["purchases", "orders.csv", *columns]) == 0
    first = {name: dict(settings) for name, settings in asked.items()}
    asked.clear()
    assert main(["report", "--transactions", "orders.csv", *columns]) == 0
    assert asked == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("margin = 0.3", "there is no section 'margin'. Write it below [terms]"),
        ("[purchase]\nfile='orders.csv'", "there is no section 'purchase'. Did you mean purchases?"),
        (
            "[purchases]\nfile='orders.csv'\ncustomerid='a'",
            "no key in [purchases] 'customerid'. Did you mean customer_id?",
        ),
        (
            "[purchases]\nfile='orders.csv'\nhorizon='long'",
            "[purchases]: horizon: expected a number above 0, not 'long'",
        ),
        ("[purchases]\nfile='orders.csv'\nno_header='yes'", "no_header: expected true or false, not 'yes'"),
        ("[purchases]\nfile='orders.csv'\ndate=true", "date: expected no true or false, not True"),
        ("[purchases]\nfile='orders.csv'\ndecimal=';'", "decimal: expected one of ., ,, not ';'"),
        ("[purchases]\nfile=['orders.csv']", "file must be the path of a file, not ['orders.csv']"),
        ("[terms]\nmargin=30\n[purchases]\nfile='orders.csv'", "margin: got 30.0; did you mean 0.3?|margin: margin"),
        ("[terms]\nmargin=0.3", 'project.toml has no file; add one, such as file = "orders.csv" below [purchases]'),
        ("[purchases\nfile=1", "project.toml is not valid TOML: "),
        ("purchases = 3", "purchases must be a section, written [purchases]"),
    ],
)
def test_a_project_file_that_is_none_gets_a_sentence(text, message, company, asked, capsys) -> None:
    Path("project.toml").write_text(text, encoding="utf-8")
    assert main(["report"]) == 2
    error = capsys.readouterr().err
    assert any(part in error for part in message.split("|")), error
    assert not asked


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["init", "orders.csv", "orders.csv"], "orders.csv and orders.csv both look like purchases: name one, or all"),
        (["init", "nothing.csv"], "nothing.csv: there is no such file"),
        (
            ["report", "--project", "none.toml"],
            "--project none.toml: the file does not exist; retention-models init FILE",
        ),
        (["init", "orders.csv", "--output", "no/project.toml"], "--output no/project.toml: there is no folder no"),
        (["fit", "--output", "fit.json"], "name the log: --transactions FILE, or file = ... below [purchases]"),
        (["contracts"], "name the contracts: retention-models contracts FILE, or file = ... below [contracts]"),
        (["contracts", "contracts.csv", "--date", "x"], "unrecognized arguments: --date"),
        (["report", "--contracts", "contracts.csv", "--date", "x"], "--date is not an option of the contracts"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why(command, message, company, asked, capsys) -> None:
    with suppress(SystemExit):  # which is how a parser refuses
        assert main(command) != 0
    assert message in capsys.readouterr().err
    assert not Path("project.toml").exists()


def test_init_overwrites_nothing(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init("orders.csv")
    before = Path("project.toml").read_text(encoding="utf-8")
    assert main(["init", "contracts.csv"]) == 2
    assert "project.toml exists already. Delete it, or name another file with --output" in capsys.readouterr().err
    assert Path("project.toml").read_text(encoding="utf-8") == before


def test_init_says_why_a_file_cannot_be_read_yet(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"user": [1, 2, 1] * 9, "day": ["3/4/2024"] * 27, "total": 1.5}).to_csv("unclear.csv", index=False)
    project = init("unclear.csv")
    assert project["purchases"] == {"file": "unclear.csv", "customer_id": "user", "date": "day", "amount": "total"}
    assert "can mean two things" in capsys.readouterr().out


def test_init_leaves_open_what_it_does_not_find(company: Path) -> None:
    pd.DataFrame({"who": [1, 2], "x": [1.5, 2.5]}).to_csv("strange.csv", index=False)
    init("strange.csv")
    text = Path("project.toml").read_text(encoding="utf-8")
    for role in ("customer_id", "date", "amount"):
        assert f'# {role} = "..."' in text
    assert "not found: which column is it?" in text


NAMES = ('quote " in it', "back\\slash", "tab\there", "Zoë €", "new\nline", "a = b", "[section]", "# remark", "del\x7f")


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_column_is_written_so_that_it_is_read_again(name: str, company: Path) -> None:
    frame = pd.DataFrame(
        {f"{name} customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-02-01", "2024-03-01"], "amount": 1}
    )
    frame.to_parquet("log.parquet")
    assert init("log.parquet")["purchases"]["customer_id"] == f"{name} customer_id"


@pytest.mark.parametrize("command", ["report", "init", "purchases", "contracts", "experiment", "fit", "predict"])
def test_the_help_of_each_command_fits_one_screen(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 55
    assert max(map(len, lines)) <= 104


@pytest.mark.parametrize(
    ("command", "number", "defaults"),
    [
        ("purchases", "02", {"margin": 0.3, "annual_discount_rate": 0.15, "level": 0.95}),
        ("contracts", "04", {"margin": 0.6, "annual_discount_rate": 0.1, "level": 0.95}),
    ],
)
def test_the_help_shows_the_defaults_of_the_notebooks(command, number, defaults, capsys) -> None:
    from retention_models.report.notebook import find_notebooks, read_notebook
    from retention_models.report.parameters import read_parameters

    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    (path,) = find_notebooks([number])
    parameters = read_parameters(read_notebook(path))
    for name, default in defaults.items():
        assert json.loads(parameters[name]) == default
        (line,) = (line for line in text.splitlines() if line.strip().startswith(f"--{name.replace('_', '-')} "))
        assert f"default: {default}" in line
        assert ("assumed" in line) == (name != "level")


FILES = {  # what people's files are called, with what init must find
    "purchases": (
        "Kundennummer;Bestelldatum;Gesamtbetrag\nM\u00fc1;05.01.2024;1.234,50\nM\u00fc1;25.02.2024;20,00\nB2;14.01.2024;15,25\n",
        "cp1252",
        {"encoding": "cp1252", "customer_id": "Kundennummer", "date": "Bestelldatum", "amount": "Gesamtbetrag"},
    ),
    "purchases by blanks": (
        " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n 00002 19970119  5   77.00\n",
        "utf-8",
        {"separator": "space", "no_header": True, "customer_id": "1", "date": "2", "amount": "4"},
    ),
    "purchases without money": (
        "member_id,check_in_at,device\nA,2024-01-05T10:00:00,door\nA,2024-01-09T10:00:00,door\nB,2024-01-05T11:00:00,app\n",
        "utf-8",
        {"customer_id": "member_id", "date": "check_in_at", "no_amount": True},
    ),
    "purchases of a marketplace": (
        "order_id,customer_id,customer_unique_id,order_purchase_timestamp,price\n"
        "o1,c1,u1,2024-01-05 10:00:00,5.5\no2,c2,u1,2024-02-05 10:00:00,6.5\no3,c3,u2,2024-02-09 10:00:00,7.5\n",
        "utf-8",
        {"customer_id": "customer_unique_id", "date": "order_purchase_timestamp", "amount": "price"},
    ),
    "contracts of a gym": (
        "Member No,Join Date,Leave Date,Reason\n"
        "1,2023-01-05,2023-06-01,moved\n2,2023-02-05,,\n3,2023-02-09,2023-09-01,price\n",
        "utf-8",
        {"customer_id": "Member No", "start": "Join Date", "end": "Leave Date", "cause": "Reason"},
    ),
    "contracts of accounts": (
        "account_age_days,is_churned\n95,yes\n400,no\n380,no\n12,yes\n",
        "utf-8",
        {"tenure": "account_age_days", "churned": "is_churned", "tenure_unit": "D"},
    ),
    "contracts of a telecom": (
        "Tenure in Months,Customer Status,Churn Category\n3,Churned,Price\n40,Stayed,\n38,Stayed,\n1,Churned,Other\n",
        "utf-8",
        {"tenure": "Tenure in Months", "churned": "Customer Status", "tenure_unit": "M"},
    ),
    "experiment of a game": (
        "userid,version,sum_gamerounds,retention_1,retention_7\n"
        "1,gate_30,3,True,False\n2,gate_40,9,True,True\n3,gate_30,5,False,False\n4,gate_40,2,False,True\n",
        "utf-8",
        {
            "arm": "version",
            "outcome": ["retention_7", "retention_1"],
            "customer_id": "userid",
            "assigned_by": "unknown",
        },
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_init_knows_files_by_the_names_that_people_give(name, tmp_path, monkeypatch, capsys) -> None:
    text, encoding, expected = FILES[name]
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_bytes(text.encode(encoding))
    assert init("file.txt")[name.split()[0]] == {"file": "file.txt", **expected}


def test_init_takes_a_layout_that_nobody_could_guess(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.txt").write_bytes("customer_id~date~amount\nŁ~2024-01-05~3\nŁ~2024-02-05~4\n".encode("cp1250"))
    assert main(["init", "log.txt", "--separator", "~", "--encoding", "cp1250"]) == 0
    section = tomllib.loads(Path("project.toml").read_text(encoding="utf-8"))["purchases"]
    assert section["separator"] == "~"
    assert section["encoding"] == "cp1250"
    assert main(["fit", "--output", "fit.json", "--model", "NBD"]) in (0, 1)  # it is read, whether or not it is enough


def test_init_warns_of_ids_of_orders_and_of_amounts_of_whole_orders(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["order_id,customer_id,date,total,status,currency"]
    lines += [
        f"o{n // 2},c{n},2024-01-{n + 1:02d},9.5,{'paid' if n % 3 else 'failed'},{'eur' if n % 2 else 'usd'}"
        for n in range(20)
    ]
    Path("orders.csv").write_text("\n".join(lines) + "\n")
    init("orders.csv")
    text = Path("project.toml").read_text(encoding="utf-8")
    assert "no value of it occurs twice: is it the id of an order?" in text
    assert "orders (order_id) have several rows: is it the amount of a row, not of an order?" in text
    assert "status: paid (13 rows), failed (7 rows); currency: eur (10 rows), usd (10 rows)" in text


def test_a_title_above_the_names_is_told(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("title.csv").write_text("Sales report 2023-2024\n\ncustomer_id,date,amount\n1,2024-01-05,3\n")
    assert main(["init", "title.csv"]) == 1
    assert "its first line names one column, and line 3 has more values. Leave out the lines" in capsys.readouterr().err


def test_the_control_is_never_guessed_from_the_order_of_arms(company: Path) -> None:
    test = pd.read_csv("test.csv").replace({"Group": {"control": "Womens E-Mail", "mail & gift": "No E-Mail"}})
    test.to_csv("mail.csv", index=False)
    init("mail.csv")
    text = Path("project.toml").read_text(encoding="utf-8")
    assert '# control = "No E-Mail"' in text
    assert '# cost = {"Womens E-Mail" = 0.5}' in text
    test.replace({"Group": {"No E-Mail": "Mens E-Mail"}}).to_csv("mail.csv", index=False)
    Path("project.toml").unlink()
    init("mail.csv")
    assert '# control = "..."' in Path("project.toml").read_text(encoding="utf-8")


def test_what_one_file_lacks_does_not_stop_the_others(company: Path, asked: dict, capsys) -> None:
    describe("orders.csv", "contracts.csv", "test.csv")
    text = Path("project.toml").read_text(encoding="utf-8")
    Path("project.toml").write_text(text.replace('arm = "Group"', 'arm = "group"'), encoding="utf-8")
    assert main(["report"]) == 1
    assert set(asked) == {"01", "02", "04"}
    error = capsys.readouterr().err
    assert "no page of the test: the test has no column 'group' for arm" in error


def test_a_notebook_can_stand_where_the_file_would(company: Path, asked: dict) -> None:
    describe("orders.csv")
    assert main(["purchases", "01"]) == 0
    assert set(asked) == {"01"}


def test_a_page_that_cannot_be_made_again_is_removed(company: Path, asked: dict, capsys) -> None:
    describe("orders.csv")
    Path("reports").mkdir()
    page = '<head><title>t</title><meta name="generator" content="retention-models 1">'
    page += '<meta name="description" content="q">'
    Path("reports/02_what_is_a_customer_worth.html").write_text(f'{page}<meta name="decision" content="d"></head>')
    Path("reports/other.html").write_text("mine")
    few = pd.read_csv("orders.csv", sep=";").drop_duplicates("Customer ID")
    few.to_csv("orders.csv", sep=";", index=False)
    assert main(["report"]) == 0
    assert set(asked) == {"01"}
    assert not Path("reports/02_what_is_a_customer_worth.html").exists()
    assert Path("reports/other.html").exists()
    assert "Removed reports/02_what_is_a_customer_worth.html" in capsys.readouterr().err


def test_pages_of_the_sample_are_called_so(tmp_path, monkeypatch, asked: dict, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report"]) == 0
    assert (
        "No file was named, and there is no project.toml here: the pages are about the embedded sample"
        in capsys.readouterr().err
    )


def test_a_log_that_falls_silent_long_before_the_stated_day_fails_a_check() -> None:
    log = rm.datasets.load_cdnow()
    check = rm.logs.check_last_day
    assert check(rm.read_transactions(log).window(observation_end="1998-07-05")).passed
    silent = check(rm.read_transactions(log).window(observation_end="1999-12-31"))
    assert silent.passed is False
    assert "its last purchase was on 1998-06-30, 549 days before" in silent.detail
    assert "observation_end='1998-06-30'" in silent.remedy
    settings = rm.logs.choose_settings(log, observation_end="1999-12-31")
    assert any(check.passed is False for check in settings.checks)
    rm.fit(rm.ParetoNBD, rm.summarize(log, observation_end="1999-12-31"))  # it may be true, and is no error
