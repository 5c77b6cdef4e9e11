# SPDX-License-Identifier: GPL-3.0-or-later
"""`postern check` and `posternd --check`: with a relay that runs, and without one."""

import base64
import json
import subprocess
import threading

import pytest

from relay import FAULTS, POSTERND, environment

PASSWORD = "corréct-hörse battery=staple"


def secured(certificates, tls="starttls", **options):
    return {"tls": tls, "certificate": certificates.server, "require_tls": tls == "starttls",
            "users": {"relay-user": PASSWORD}, **options}


def login(certificates, **more):
    return {"Smarthost": {"Host": "localhost", "TrustFile": certificates.authority[0], "User": "relay-user",
                          "PasswordCredential": "smarthost", **more}}


def check_by_daemon(relay, *arguments):
    """posternd --check on the relay's files; returns (exit status, standard output)."""
    result = subprocess.run(
        [POSTERND, "--check", f"--config={relay.configuration_file}", *arguments], capture_output=True, text=True,
        check=False, timeout=60, env=environment(**relay.variables), stdin=subprocess.DEVNULL)
    assert not FAULTS.search(result.stderr), result.stderr
    return result.returncode, result.stdout


@pytest.fixture(params=["with a relay", "without one"])
def make_check(request, make_relay):
    """make_check(receiver, configuration, ...) returns a relay and check(*arguments), which runs `postern check`."""

    def make(*arguments, **options):
        running = request.param == "with a relay"
        relay = make_relay(*arguments, start=running, **options)

        def check(*words, status):
            ways = [] if running else [f"--config={relay.configuration_file}"]
            result = relay.postern("check", *ways, *words, status=None, variables=relay.variables)
            assert result.returncode == status, result.stdout + result.stderr
            assert PASSWORD not in result.stdout + result.stderr
            assert base64.b64encode(PASSWORD.encode()).decode() not in result.stdout + result.stderr
            return result.stdout

        return relay, check

    return make


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_all_is_well(make_check, make_receiver, certificates, tls):
    receiver = make_receiver(**secured(certificates, tls))
    relay, check = make_check(receiver, login(certificates), credentials={"smarthost": PASSWORD})
    told = check("--verbose", "--sender=me@example.org", status=0)
    assert "The configuration is good" in told
    assert "takes mail" in told and "as relay-user" in told
    assert "MAIL FROM:<me@example.org>" in told, "the transcript is shown"
    assert receiver.logins == [("relay-user", True)]
    assert not receiver.messages and not receiver.commands("RCPT")


@pytest.mark.parametrize("user, sender", [("me@example.org", "me@example.org"), ("me", "")])
def test_the_user_is_offered_as_the_sender(make_check, make_receiver, certificates, user, sender):
    receiver = make_receiver(**{**secured(certificates), "users": {user: PASSWORD}})
    relay, check = make_check(receiver, login(certificates, User=user), credentials={"smarthost": PASSWORD})
    check(status=0)
    assert receiver.commands("MAIL")[0].split()[1] == f"FROM:<{sender}>"


def test_a_wrong_password_is_told_with_what_to_do(make_check, make_receiver, certificates):
    receiver = make_receiver(**secured(certificates))
    relay, check = make_check(receiver, login(certificates), credentials={"smarthost": "wrong " + PASSWORD})
    told = check(status=1)
    assert "takes no mail" in told and "535 5.7.8" in told
    assert "app password" in told


def test_a_smarthost_that_is_down(make_check, make_receiver):
    relay, check = make_check(make_receiver(up=False))
    told = check(status=1)
    assert "refused" in told and "Port= right" in told


def test_a_certificate_that_is_not_trusted(make_check, make_receiver, certificates):
    receiver = make_receiver(**secured(certificates))
    relay, check = make_check(receiver, login(certificates, TrustFile=certificates.other_authority[0]),
                              credentials={"smarthost": PASSWORD})
    told = check(status=1)
    assert "not trusted" in told and "TrustFile=" in told
    assert not receiver.logins


def test_a_sender_that_is_not_wanted(make_check, receiver):
    receiver.on("MAIL", "550 5.7.1 not your address")
    relay, check = make_check(receiver)
    assert "550 5.7.1 not your address" in check(status=1)


def test_each_smarthost_is_tried(make_check, make_receiver):
    good, bad = make_receiver(), make_receiver(up=False)
    relay, check = make_check([good, bad])
    report = json.loads(check("--json", status=1))
    assert [(row["name"], row["fault"]) for row in report["smarthosts"]] == [("default", None), ("second", "connect")]
    assert report["good"] is False and report["problems"] == []


def test_offline_tries_nothing(make_check, receiver):
    relay, check = make_check(receiver)
    assert "not tried" in check("--offline", status=0)
    assert not receiver.connections


def test_offline_finds_authorities_that_cannot_be_read(make_relay, receiver, tmp_path):
    relay = make_relay(receiver, start=False)
    (tmp_path / "authority.pem").write_text("no certificate\n", encoding="ascii")
    relay.configure({"Smarthost": {"Host": "localhost", "TrustFile": tmp_path / "authority.pem"}})
    status, told = check_by_daemon(relay, "--offline")
    assert status == 78 and "TrustFile=" in told and "has no certificate in PEM form" in told


@pytest.mark.parametrize("words", [[], ["--offline"]])
def test_no_smarthost_is_told(make_check, words):
    _, check = make_check()
    told = check(*words, status=1)
    assert "No mail can leave" in told and "no smarthost" in told and "postern setup" in told
    assert json.loads(check("--json", *words, status=1))["good"] is False


@pytest.mark.parametrize("up, words", [([False], "No mail can leave"), ([False, False], "No mail can leave"),
                                       ([True, False], "not every smarthost"), ([True, True], "The configuration is good")])
def test_the_first_line_says_whether_mail_can_leave(make_check, make_receiver, up, words):
    _, check = make_check([make_receiver(up=one) for one in up])
    told = check(status=0 if all(up) else 1)
    assert words in told.splitlines()[0]
    assert ("is good" in told) == all(up), "nothing is called good that is not"


def test_every_problem_is_told_at_once(make_check, receiver):
    relay, check = make_check(receiver)
    relay.configure("[Smarthost]\nHost=localhost\nTLS=maybe\nColour=red\n[Queue]\nLifetime=long\n")
    told = check(status=1)
    for words in ("TLS=maybe", "Colour", "Lifetime=long", "The configuration is bad"):
        assert words in told


def test_a_warning_is_no_failure(make_check, receiver, tmp_path):
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    (tmp_path / "password").chmod(0o644)
    relay, check = make_check(receiver, {"Smarthost": {"User": "me", "PasswordFile": tmp_path / "password"}})
    told = check("--offline", status=0)
    assert "chmod o-r" in told


def test_the_relay_that_runs_is_not_disturbed(make_relay, receiver):
    relay = make_relay(receiver)
    relay.configure("[Smarthost]\nHost=nowhere.invalid\n")
    told = relay.postern("check", status=1).stdout
    assert "nowhere.invalid" in told, "what is checked is what a reload would read"
    relay.send()
    receiver.wait_messages(1)


def test_a_relay_that_stops_answers_those_who_wait(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("MAIL", threading.Event())
    relay = make_relay(receiver)
    process = subprocess.Popen([POSTERND.parents[1] / "cli" / "postern", f"--bus={relay.bus}", "check"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    receiver.wait_for(lambda r: r.commands("MAIL"))
    relay.stop()
    output, errors = process.communicate(timeout=60)
    assert process.returncode in (1, 5), output
    assert "stop" in errors


def test_posternd_check_has_an_exit_status_for_scripts(make_relay, make_receiver):
    up, down = make_receiver(), make_receiver(up=False)
    relay = make_relay(up, start=False)
    assert check_by_daemon(relay) == (0, f"smarthost default: 127.0.0.1:{up.port} takes mail\n")
    relay = make_relay(down, start=False)
    status, told = check_by_daemon(relay)
    assert status == 1 and "takes no mail" in told
    relay.configure("[Relay]\nHostName=relay.example.org\nDomain=example.org\n")
    assert check_by_daemon(relay) == (1, "no smarthost is configured; mail is accepted and waits\n")
    relay.configure("[Smarthost]\nHoost=x\n")
    status, told = check_by_daemon(relay)
    assert status == 78 and "did you mean Host=" in told


def test_only_root_reads_passwords(make_relay, make_receiver, certificates):
    relay = make_relay(make_receiver(**secured(certificates)), login(certificates), start=False)
    told = relay.postern("check", f"--config={relay.configuration_file}", status=1)
    assert "no password can be read" in told.stdout and "systemctl restart postern" in told.stdout


def test_a_bus_that_is_named_must_be_there(make_relay):
    relay = make_relay(start=False, bus="unix:path=/nowhere")
    assert "message bus" in relay.postern("check", status=5).stderr
