"""r1ls/trust: a folder's code may be compiled and tested, and the server remembers it."""

import os
import pathlib
import tempfile

from driver import Client, run_tests


def ask(client, **params):
    return client.ask("r1ls/trust", params)


def new_client(root, **options):
    return Client(rootUri=root.as_uri(), options=options)


def test_each_folder_by_itself():
    with tempfile.TemporaryDirectory() as work:
        os.environ["XDG_STATE_HOME"] = work + "/state"
        first, second = pathlib.Path(work, "first"), pathlib.Path(work, "second")
        first.mkdir()
        second.mkdir()
        client = Client(rootUri=first.as_uri(), workspaceFolders=[{"uri": f.as_uri(), "name": f.name} for f in (first, second)])
        document = {"uri": (second / "a.c").as_uri()}
        assert ask(client, trusted=True, textDocument=document) == {"folder": str(second), "trusted": True}
        assert ask(client, textDocument=document)["trusted"] is True
        assert ask(client) == {"folder": str(first), "trusted": False}
        told = {folder["root"]: folder["trusted"] for folder in client.ask("r1ls/status", {})["folders"]}
        assert told == {str(first): False, str(second): True}, told
        client.close()


def test_a_folder_is_remembered():
    with tempfile.TemporaryDirectory() as work:
        os.environ["XDG_STATE_HOME"] = work + "/state"
        root = pathlib.Path(work, "project")
        (root / "part").mkdir(parents=True)
        client = new_client(root)
        assert ask(client) == {"folder": str(root), "trusted": False}
        assert client.ask("r1ls/status", {})["trusted"] is False
        assert ask(client, trusted=True) == {"folder": str(root), "trusted": True}
        assert client.ask("r1ls/status", {})["trusted"] is True
        client.close()
        for folder in (root, root / "part"):
            client = new_client(folder)
            assert ask(client)["trusted"] is True, folder
            client.close()
        client = new_client(pathlib.Path(work))
        assert ask(client)["trusted"] is False
        client.close()
        client = new_client(root)
        assert ask(client, trusted=False)["trusted"] is False
        client.close()


def test_settings_count_beside_it():
    with tempfile.TemporaryDirectory() as work:
        os.environ["XDG_STATE_HOME"] = work + "/state"
        client = new_client(pathlib.Path(work), trusted=True)
        assert ask(client)["trusted"] is True
        assert not pathlib.Path(work, "state").exists(), "asking wrote something"
        client.close()


def refusal(client, **params):
    return client.answer(client.request("r1ls/trust", params))["error"]["message"]


def test_wrong_params_are_errors():
    with tempfile.TemporaryDirectory() as work:
        os.environ["XDG_STATE_HOME"] = work + "/state"
        client = new_client(pathlib.Path(work))
        for wrong in ("yes", 1, []):
            assert "wanted true or false" in refusal(client, trusted=wrong), wrong
        client.close()
        client = Client()
        assert "no folder is open" in refusal(client, trusted=True)
        client.close()


run_tests(globals())
