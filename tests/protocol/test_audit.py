"""Every action leaves a record, which r1ls/audit gives back; switched off, it leaves none."""

import os
import pathlib
import tempfile

from driver import Client, at, run_tests

SOURCE = "int f(int a)\n{\n}\n"
BODY = "answer {\\n =>     return a;\\n}\\n\nanswer { => \\n    return a;\\n}\\n\n"


def start(work, script=BODY, **options):
    os.environ["XDG_STATE_HOME"] = work + "/state"
    uri = pathlib.Path(work, "a.c").as_uri()
    client = Client(script, options=options, rootUri=pathlib.Path(work).as_uri())
    client.until(lambda: client.ask("r1ls/status", {})["engine"] == "ready")
    client.open(uri, SOURCE)
    return client, uri


def act(client, uri):
    actions = client.ask("textDocument/codeAction", {"textDocument": {"uri": uri}, "range": at(0, 4), "context": {"diagnostics": []}})
    return client.ask("codeAction/resolve", actions[0])


def test_an_action_leaves_a_record():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work)
        edit = act(client, uri).get("edit")
        answer = client.ask("r1ls/audit", {"textDocument": {"uri": uri}})
        run = answer["run"]
        assert answer["record"] == 1 and len(answer["hash"]) == 64, answer
        assert run["task"] == "body" and run["document"]["text"] == SOURCE, run
        assert run["model"]["name"] == "scripted" and len(run["model"]["sha256"]) == 64, run["model"]
        assert (run["outcome"] == "found") == bool(edit), run["summary"]
        assert run["samples"] and run["prompts"][0]["ids"], run
        act(client, uri)
        assert client.ask("r1ls/audit", {})["record"] == 2
        assert client.ask("r1ls/audit", {"record": 1}) == answer
        for wrong, words in (({"record": 0}, "wanted a number"), ({"record": 9}, "no record 9"),
                             ({"textDocument": {"uri": "file:///other.c"}}, "not open")):
            error = client.answer(client.request("r1ls/audit", wrong))["error"]["message"]
            assert words in error, error
        client.close()


def test_hashes_alone_are_kept_where_the_user_wants_that():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, auditPrompts="hash")
        act(client, uri)
        run = client.ask("r1ls/audit", {})["run"]
        assert "text" not in run["document"] and "ids" not in run["prompts"][0], run
        assert len(run["document"]["sha256"]) == 64 and len(run["prompts"][0]["sha256"]) == 64
        client.close()


def test_a_cancelled_run_is_recorded():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, "token_ms 100\n" + BODY)
        actions = client.ask("textDocument/codeAction", {"textDocument": {"uri": uri}, "range": at(0, 4), "context": {"diagnostics": []}})
        id = client.request("codeAction/resolve", actions[0])
        # The progress begins before the run does: a run that works has reported.
        client.until(lambda: any(n["method"] == "$/progress" and n["params"]["value"]["kind"] == "report" for n in client.notes), "progress")
        client.notify("$/cancelRequest", {"id": id})
        client.answer(id)
        client.close()  # what is being written is written before the end
        records = pathlib.Path(work, "state/r1ls/audit/log").read_text().splitlines()
        assert len(records) == 1, records


def test_off_means_none():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, audit=False)
        act(client, uri)
        assert "no records" in client.answer(client.request("r1ls/audit", {}))["error"]["message"]
        client.close()
        assert not pathlib.Path(work, "state").exists()


run_tests(globals())
