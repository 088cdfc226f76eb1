"""Which commands make each system trust an authority, and stop trusting it."""

from __future__ import annotations

from devproxy.trust import plan
from devproxy.trust.plan import Plan
from devproxy.trust.stores import Kind, Store, System

FINGERPRINT = "0123456789abcdef0123456789abcdef01234567"
CA = "/home/me/ca.crt"
ANCHORS = "/usr/local/share/ca-certificates"
DEBIAN = Store(Kind.SYSTEM, "curl", ANCHORS, ".crt", ("update-ca-certificates",), ("update-ca-certificates", "--fresh"))
FEDORA = Store(Kind.SYSTEM, "curl", "/etc/anchors", ".pem", ("update-ca-trust", "extract"))
CHROMIUM = Store(Kind.NSS, "Chromium", "/home/me/.pki/nssdb")
NEW = CHROMIUM._replace(is_there=False)
MAC = Store(Kind.KEYCHAIN, "Safari", "/Users/me/login.keychain-db")
WINDOWS = Store(Kind.WINDOWS, "Edge", "Root")


def lines(todo: Plan) -> list[str]:
    return [" ".join(step.command) for step in todo.steps]


def system(
    *stores: Store, is_root: bool = False, person: str = "", programs: tuple[str, ...] = ("certutil",)
) -> System:
    return System(stores, frozenset(programs), is_root, person)


def installing(store: Store, **said: bool | str) -> list[str]:
    return lines(plan.install(system(store, **said), [store], CA, FINGERPRINT))  # type: ignore[arg-type]


def removing(store: Store) -> list[str]:
    return lines(plan.uninstall(system(store), [store], FINGERPRINT))


def test_a_distribution_gets_a_file_and_its_program_is_run() -> None:
    assert installing(DEBIAN) == [
        f"sudo install -m 644 {CA} {ANCHORS}/devproxy-01234567.crt",
        "sudo update-ca-certificates",
    ]
    assert installing(FEDORA)[0].endswith("/etc/anchors/devproxy-01234567.pem")
    assert installing(FEDORA)[1] == "sudo update-ca-trust extract"
    assert removing(DEBIAN) == [f"sudo rm -f {ANCHORS}/devproxy-01234567.crt", "sudo update-ca-certificates --fresh"]


def test_only_the_system_s_files_need_root() -> None:
    todo = plan.install(system(DEBIAN, CHROMIUM), [DEBIAN, CHROMIUM], CA, FINGERPRINT)
    assert [(step.why, step.needs_root) for step in todo.steps] == [("curl", True), ("curl", True), ("Chromium", False)]


def test_root_needs_no_sudo() -> None:
    assert installing(DEBIAN, is_root=True)[1] == "update-ca-certificates"
    assert installing(CHROMIUM, is_root=True)[0].startswith("certutil -A")


def test_by_sudo_the_database_of_the_person_is_changed_as_that_person() -> None:
    assert installing(DEBIAN, is_root=True, person="me")[1] == "update-ca-certificates"
    assert installing(CHROMIUM, is_root=True, person="me")[0].startswith("sudo -u me certutil -A -d sql:/home/me")


def test_a_browser_gets_a_certificate_in_its_database_which_is_made_where_there_is_none() -> None:
    add = f"certutil -A -d sql:/home/me/.pki/nssdb -t C,, -n devproxy-01234567 -i {CA}"
    assert installing(CHROMIUM) == [add]
    assert installing(NEW) == [
        "mkdir -p -m 700 /home/me/.pki/nssdb",
        "certutil -N -d sql:/home/me/.pki/nssdb --empty-password",
        add,
    ]
    assert removing(CHROMIUM) == ["certutil -D -d sql:/home/me/.pki/nssdb -n devproxy-01234567"]


def test_without_certutil_it_says_once_what_to_install() -> None:
    firefox = CHROMIUM._replace(whose="Firefox")
    stores = [DEBIAN, CHROMIUM, firefox, firefox]
    todo = plan.install(system(*stores, programs=("dnf",)), stores, CA, FINGERPRINT)
    assert len(todo.steps) == 2
    assert [note.partition(": ")[2] for note in todo.notes] == ["dnf install nss-tools"] * 2
    assert todo.notes[1].startswith("Firefox can be checked only with the program certutil")
    assert "NSS's tools" in plan.install(system(firefox, programs=()), [firefox], CA, FINGERPRINT).notes[0]


def test_macos_trusts_it_for_servers_alone() -> None:
    assert installing(MAC) == [f"security add-trusted-cert -r trustRoot -p ssl -k {MAC.where} {CA}"]
    assert removing(MAC) == [f"security delete-certificate -t -Z {FINGERPRINT.upper()} {MAC.where}"]


def test_windows_is_told_by_its_own_program_and_its_own_path() -> None:
    assert installing(WINDOWS) == [f"certutil.exe -user -addstore Root {CA}"]
    assert removing(WINDOWS) == [f"certutil.exe -user -delstore Root {FINGERPRINT}"]
    path = "\\\\wsl.localhost\\Debian\\ca.crt"
    todo = plan.install(system(WINDOWS, DEBIAN), [WINDOWS, DEBIAN], CA, FINGERPRINT, path)
    assert lines(todo)[0].endswith(path)
    assert CA in lines(todo)[1]


def test_plans_are_joined_and_say_nothing_twice() -> None:
    one = plan.install(system(CHROMIUM, programs=()), [CHROMIUM], CA, FINGERPRINT)
    two = plan.install(system(CHROMIUM), [CHROMIUM], CA, FINGERPRINT)
    assert plan.joined(one, two, one) == Plan(two.steps, one.notes)
