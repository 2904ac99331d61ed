"""A finding as a mail: 40 lines of 72 columns that answer a reader's questions."""

from __future__ import annotations

import re
import shlex

import pytest

from hgeisim.checks.catalogue import CATALOGUE, OTHERS
from hgeisim.checks.remedies import REMEDIES, remedy
from hgeisim.report.effects import Change, Facts, phrases, sentence
from hgeisim.report.kernel_names import distance, in_c, interrupt_file
from hgeisim.report.layout import MAIL_WIDTH, command_lines
from tests.support.commands import hgeisim, token_of
from tests.support.golden import FOLDER, check_golden
from tests.support.source import ROOT

DOUBLE_OWNER = "double-owner:hgei"
V2 = "v6.12+percpu-v2"
B_09 = "circular:imsic->vsfile_lock -SN-> rq->__lock -EN->"


def fits(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) <= 40 and max(map(len, lines)) <= 72


@pytest.mark.slow
def test_v2_2() -> None:
    output = hgeisim("replay", token_of(V2, DOUBLE_OWNER), "--mail")
    assert (output.status, output.err) == (1, "")
    assert fits(output.out)
    check_golden("mail-v2-2", output.out)


@pytest.mark.slow
def test_f_3() -> None:
    found = ("--mail", "--finding", "set-up-lost:vcpu")
    output = hgeisim("explore", "move-offline", "--variant", "v7.0", *found)
    assert (output.status, output.err) == (0, "")
    assert fits(output.out)
    check_golden("mail-f-3", output.out)


@pytest.mark.slow
def test_b_09() -> None:
    output = hgeisim("run", "big-little", "--variant", "v7.0", "--mail", "--finding", B_09)
    assert (output.status, output.err) == (0, "")
    assert fits(output.out)
    check_golden("mail-b-09", output.out)


@pytest.mark.slow
def test_a_deadlock_is_drawn_as_a_cycle() -> None:
    found = ("--mail", "--finding", "deadlock:kvm->mmu_lock")
    output = hgeisim("explore", "host-shutdown", "--variant", "v7.0", *found)
    assert fits(output.out)
    check_golden("mail-f-4", output.out)


@pytest.mark.slow
def test_locks_check_draws_the_cycle() -> None:
    output = hgeisim(
        "locks", "check", "big-little", "--baseline", "v7.0", "--mail", "--finding", B_09
    )
    assert fits(output.out)
    assert "  +--> imsic->vsfile_lock\n" in output.out
    assert output.out.endswith("locks check --baseline v7.0 --variant v7.0 big-little\n")


@pytest.mark.slow
@pytest.mark.proof
def test_every_mail_of_the_small_scenarios_fits() -> None:
    for name, variant in (("blocked-move", "v6.12"), ("moved-sleeper", "v6.16")):
        findings = hgeisim("explore", name, "--variant", variant, "--json").document()["findings"]
        for each in findings:
            output = hgeisim("replay", each["token"], "--mail", "--finding", each["id"])
            assert fits(output.out)
            assert " ".join(in_c(each["text"]).split()) in " ".join(output.out.split())
            assert "every schedule" in output.out or "LO-" in each["text"]


def test_the_page_quotes_the_program() -> None:
    page = (ROOT / "docs" / "mail.md").read_text()
    block = page.partition("    step  CPU0")[2].partition("\n\n")[0].splitlines()[1:]
    printed = (FOLDER / "mail-f-3.txt").read_text().splitlines()
    assert block
    assert [line for line in block if line[4:] not in printed] == []


def blocked_move(*more: str) -> str:
    output = hgeisim("explore", "blocked-move", "--mail", *more)
    assert output.err == ""
    return output.out


def test_the_command_of_a_mail_replays_it() -> None:
    words = blocked_move().partition("hgeisim replay")[2].replace("\\\n", " ").split()
    assert "lost-wakeup:vcpu" in hgeisim("replay", *words).out


@pytest.mark.parametrize(
    "words",
    [
        ["--scenario", "nolines.toml", "--variant", "v7.0+bad1.py:ReleaseReadsFirst"],
        ["--scenario", "a b's.toml", "--variant", f"v7.0+{'sub/' * 12}mine.py:Mine", "token"],
        ["--scenario", f"{'sub/' * 14}mine.toml", "--rt", *("scenario",) * 9],
        ["--rt"],
    ],
)
def test_a_command_keeps_the_columns_and_its_words(words: list[str]) -> None:
    lines = list(command_lines(["hgeisim", "replay", *words]))
    assert max(map(len, lines)) <= MAIL_WIDTH
    assert lines[0].startswith("hgeisim replay")
    assert all(line.startswith("  ") for line in lines[1:])
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == ["hgeisim", "replay", *words]


def test_a_word_that_is_too_long_has_a_line_of_its_own() -> None:
    words = ["hgeisim", "replay", "--scenario", "x" * 80]
    assert list(command_lines(words)) == ["hgeisim replay --scenario \\", "  " + "x" * 80]


@pytest.mark.slow
def test_the_mail_of_a_patch_fits_and_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "tests/data/patches")
    variant = ("--variant", "v7.0+reads_first.py:ReadsFirst")
    output = hgeisim("explore", "reads_first.toml", *variant, "--mail")
    assert fits(output.out)
    words = shlex.split(output.out.partition("hgeisim replay")[2].replace("\\\n", ""))
    assert words[:4] == ["--scenario", "reads_first.toml", *variant]
    again = hgeisim("replay", *words)
    assert (again.status, "sent-lost:vcpu" in again.out) == (1, True)


@pytest.mark.slow
def test_locks_check_repeats_what_changes_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "tests/data/patches")
    words = ["--baseline", "v7.0", "--variant", "v7.0+reads_first.py:ReadsFirst", "--rt"]
    output = hgeisim("locks", "check", "reads_first.toml", *words, "--mail")
    assert fits(output.out)
    last = output.out.partition("hgeisim locks check")[2].replace("\\\n", "")
    assert shlex.split(last) == [*words, "reads_first.toml"]


def test_a_mail_in_full_has_every_step() -> None:
    numbers = re.findall(r"^ *\*?(\d+) ", blocked_move("--full"), re.MULTILINE)
    assert list(dict.fromkeys(map(int, numbers))) == list(range(1, 57))


def test_a_finding_that_does_not_show() -> None:
    output = hgeisim("explore", "blocked-move", "--mail", "--finding", "leak:hgei")
    assert (output.status, output.out) == (2, "")
    assert "--finding = leak:hgei: does not show; here: lost-wakeup:vcpu" in output.err


def test_every_kind_says_what_breaks_and_what_would_close_it() -> None:
    kinds = {kind for row in CATALOGUE for kind in row.kinds} | OTHERS.keys()
    assert kinds <= REMEDIES.keys()
    assert remedy("circular-guarded:a").closes == REMEDIES["circular"].closes
    assert all(part.endswith(".") for each in REMEDIES.values() for part in each)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("v1.vsfile_cpu", 0, -1), "takes line 3 of CPU0 away from v1"),
        (Change("v1.vsfile_cpu", -1, 1), "makes line 3 of CPU1 the VS-file of v1"),
        (Change("v1.vsfile_cpu", -1, -1), "finds that v1 has no VS-file"),
        (Change("hgei0.owners[1]", 1, 0), "removes v1 as the owner of line 1 of CPU0"),
        (Change("hgei0.owners[1]", 0, 2), "allocates line 1 of CPU0 for v2"),
        (Change("hgei1.free_bitmap", 0, 6), "marks lines 1 and 2 of CPU1 free"),
        (Change("hart0.eip[1]", 0, 4), "makes identity 2 pending in line 1 of CPU0"),
        (Change("hart0.eie[1]", 4, 0), "reads and clears line 1 of CPU0"),
        (Change("v1.swfile.eip", 0, 4), "makes identity 2 pending in the SW-file of v1"),
        (Change("v1.pte_cpu", 1, -1), "unmaps the IMSIC page of v1"),
        (Change("vcpu/v1.cpu", 1, 0), "moves vcpu/v1 to CPU0"),
        (Change("vcpu/v1.allowed", 0, 1), "sends vcpu/v1 to CPU0"),
        (Change("hart0.hgeie", 2, 0), "disarms line 1 of CPU0"),
        (Change("v1.irqs_pending", 0, 1024), "raises VS_EXT of v1"),
        (Change("v1.irqs_pending", 1028, 1024), "drops VS_SOFT of v1"),
    ],
)
def test_a_change_in_words(change: Change, said: str) -> None:
    facts = Facts({1: "v1", 2: "v2"}, {"v1.vsfile_hgei": 3})
    assert phrases([change], facts, 4) == [said]


def test_a_sentence_names_a_line_once() -> None:
    said = ["moves vcpu/v1 to CPU0", "allocates line 1 of CPU0 for v1", "frees line 1 of CPU0"]
    words = "vcpu/v1 moves to CPU0, allocates line 1 of CPU0 for v1 and frees it."
    assert sentence("vcpu/v1", said) == words


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("hart1.eie[2]", "CPU1 line 2"),
        ("v1.swfile.eip", "v1 SW-file"),
        ("cpuhp/0.data.mrif.eip", "cpuhp/0 stack"),
    ],
)
def test_the_interrupt_file_of_a_register(name: str, file: str) -> None:
    assert interrupt_file(name) == file
    assert distance(name) == 1


@pytest.mark.slow
def test_a_device_sends_no_ipi() -> None:
    found = hgeisim("explore", "moved-sleeper", "--json").document()["findings"][0]
    text = hgeisim("replay", found["token"]).out
    assert "device interrupt irqfd_wakeup" in text
    assert "IPI irqfd_wakeup" not in text
    assert re.search(r"^ +\d+ +irq/1 +1 +kvm_riscv_vcpu_aia_imsic_inject$", text, re.MULTILINE)
