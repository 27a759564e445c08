# SPDX-License-Identifier: Apache-2.0
"""A disk as the shim's log tells it, and what may be left of it after power loss.

Kept for certain: of a file, the writes and sizes that a finished sync of that file covers; of a
folder, the names that a finished sync of that folder covers.  Of all else, per file any subset of
its writes, each whole or in any of its 512-byte sectors; per folder a beginning of its changes of
names, in their order, as a journal keeps it.  A file's shrinking and what was written behind it go
together: the blocks hang on it."""
import os
import pathlib

from shim import (ALLOCATE, CREATE, LINK, MKDIR, RENAME, RMDIR, SYNC, SYNC_FAILED, TRUNCATE, UNLINK, WRITE)

SECTOR = 512
BLOCK = 64 << 10
ZEROS = bytes(BLOCK)


class File:
    def __init__(self, content=b""):
        self.content = bytearray(content)  # durable
        self.pending = []  # records of WRITE, TRUNCATE, ALLOCATE that no sync covers

    def sync(self, covered, alone):
        left = []
        for r in self.pending:
            if r.seq == covered or (r.seq < covered and not alone):
                change(self.content, r)
            else:
                left.append(r)
        self.pending = left

    def fail_sync(self, covered, choice):
        """The fate of what a failed sync was to write is open, and no later sync decides it."""
        hit = [r for r in self.pending if r.seq <= covered]
        self.pending = [r for r in self.pending if r.seq > covered]
        self.content = build(self.content, hit, choice)


class Folder:
    def __init__(self):
        self.names = {}    # durable: name -> ino
        self.current = {}  # as the process sees it
        self.pending = []  # (seq, {name: ino or None})

    def note(self, seq, changes):
        self.pending.append((seq, changes))
        put_names(self.current, changes)

    def sync(self, covered):
        while self.pending and self.pending[0][0] <= covered:
            put_names(self.names, self.pending.pop(0)[1])


def put_names(names, changes):
    for name, ino in changes.items():
        if ino is None:
            names.pop(name, None)
        else:
            names[name] = ino


def change(content, r):
    """Applies a whole record."""
    if r.op == TRUNCATE:
        del content[r.a:]
    size = {WRITE: r.a + r.b, TRUNCATE: r.a, ALLOCATE: r.a}[r.op]
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    if r.op == WRITE:
        content[r.a:r.a + r.b] = r.data or bytes(r.b)


def build(durable, pending, choice):
    """A file after power loss: its durable content and what `choice` lets through of the rest."""
    content = bytearray(durable)
    for r in pending:
        shrinks = r.op == TRUNCATE and r.a < len(content)
        fate = choice.whole(r)
        if fate is None and r.op == WRITE and r.b:
            write_sectors(content, r, choice.sectors(r))
        elif fate:
            change(content, r)
        elif shrinks:
            break
    return content


def write_sectors(content, r, sectors):
    """sectors: numbers, from the write's first one, of those that reached the disk."""
    data = r.data or bytes(r.b)
    first = r.a // SECTOR
    for s in sectors:
        begin, end = max(r.a, (first + s) * SECTOR), min(r.a + r.b, (first + s + 1) * SECTOR)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[begin:end] = data[begin - r.a:end - r.a]


def n_sectors(r):
    return (r.a + r.b - 1) // SECTOR - r.a // SECTOR + 1


class Disk:
    """Follows the log with apply(); write_image() makes what power loss at that instant leaves."""

    def __init__(self, root):
        """root: the watched folder as it was before the log began, all of it durable."""
        self.nodes = {}
        self.root = self.load(pathlib.Path(root))

    def load(self, path):
        ino = os.stat(path).st_ino
        if path.is_dir():
            folder = self.nodes[ino] = Folder()
            for child in path.iterdir():
                folder.names[child.name] = self.load(child)
            folder.current = dict(folder.names)
        else:
            self.nodes[ino] = File(path.read_bytes())
        return ino

    def folder_of(self, path):
        folder = self.nodes[self.root]
        *parents, name = path.split("/")
        for part in parents:
            folder = self.nodes[folder.current[part]]
        return folder, name

    def apply(self, r, choice=None):
        """choice: of what a failed sync left; needed where the log has one."""
        if r.op in (CREATE, MKDIR):
            folder, name = self.folder_of(r.path)
            self.nodes[r.ino] = File() if r.op == CREATE else Folder()
            folder.note(r.seq, {name: r.ino})
        elif r.op in (WRITE, TRUNCATE, ALLOCATE):
            self.nodes[r.ino].pending.append(r)
        elif r.op == LINK:
            folder, name = self.folder_of(r.path2)
            folder.note(r.seq, {name: r.ino})
        elif r.op in (UNLINK, RMDIR):
            folder, name = self.folder_of(r.path)
            folder.note(r.seq, {name: None})
        elif r.op == RENAME:
            self.rename(r)
        elif r.op == SYNC:
            node = self.nodes[r.ino]
            node.sync(r.a, bool(r.b)) if isinstance(node, File) else node.sync(r.a)
        elif r.op == SYNC_FAILED and isinstance(self.nodes[r.ino], File):
            self.nodes[r.ino].fail_sync(r.a, choice)

    def rename(self, r):
        source, name = self.folder_of(r.path)
        target, name2 = self.folder_of(r.path2)
        assert source is target, "a rename across folders has two journals"
        source.note(r.seq, {name2: source.current[name], name: None})

    def write_image(self, to, choice):
        self.write_folder(self.nodes[self.root], pathlib.Path(to), choice, {})

    def write_folder(self, folder, path, choice, written):
        path.mkdir(exist_ok=True)
        names = dict(folder.names)
        for _, changes in folder.pending[:choice.names(len(folder.pending))]:
            put_names(names, changes)
        for name, ino in names.items():
            node = self.nodes[ino]
            if isinstance(node, Folder):
                self.write_folder(node, path / name, choice, written)
            elif ino in written:
                os.link(written[ino], path / name)
            else:
                written[ino] = path / name
                write_file(path / name, build(node.content, node.pending, choice) if node.pending else node.content)


def write_file(path, content):
    """Runs of zeros stay holes: most of a WAL file is."""
    with open(path, "wb", buffering=0) as f:
        view = memoryview(content)
        for at in range(0, len(content), BLOCK):
            piece = view[at:at + BLOCK]
            if piece != ZEROS[:len(piece)]:
                f.seek(at)
                f.write(piece)
        f.truncate(len(content))


# --- what gets through -----------------------------------------------------------------------


class Nothing:
    """All that was not synced is gone."""

    def whole(self, r):
        """True: it is there; False: it is not; None: some of its sectors are."""
        return False

    def sectors(self, r):
        return ()

    def names(self, n):
        return 0


class Everything(Nothing):
    """As after a crash of the process alone."""

    def whole(self, r):
        return True

    def names(self, n):
        return n


class OnlyNames(Nothing):
    def names(self, n):
        return n


class OnlyData(Everything):
    def names(self, n):
        return 0


class Mixed(Nothing):
    """Writes by the toss of a coin, names up to anywhere."""

    def __init__(self, random):
        self.random = random
        self.share = random.random()

    def whole(self, r):
        return self.random.random() < self.share

    def names(self, n):
        return self.random.randint(0, n)


class Torn(Mixed):
    """Writes in pieces: a beginning, an end, or any sectors."""

    def whole(self, r):
        return None if r.op == WRITE else self.random.random() < 0.7

    def sectors(self, r):
        n = n_sectors(r)
        way, at = self.random.randrange(4), self.random.randint(0, n)
        if way == 0:
            return range(at)
        if way == 1:
            return range(at, n)
        return [s for s in range(n) if self.random.random() < self.share]


CHOICES = {"nothing": lambda r: Nothing(), "everything": lambda r: Everything(),
           "only names": lambda r: OnlyNames(), "only data": lambda r: OnlyData(), "mixed": Mixed, "torn": Torn}
