"""The command line of the notes."""

import argparse
import sys

from notes.store import NoteStore, longest, word_count


def build_parser():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", default="notes.json")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add")
    add.add_argument("title")
    add.add_argument("text")
    add.add_argument("--tag", action="append", default=[])
    show = commands.add_parser("show")
    show.add_argument("title")
    return parser


def main(argv=None):
    args = build_parser().parse_args(argv)
    store = NoteStore(args.file)
    store.load()
    if args.command == "add":
        store.add(args.title, args.text, args.tag)
        store.save()
    elif args.command == "show":
        note = store.find(args.title)
        if note is None:
            print("no such note", file=sys.stderr)
            return 1
        print(note["text"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
