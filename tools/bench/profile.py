#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# What a guest executes between the two marks of kspan_bench's what=profile, read
# off QEMU's log of every instruction: instructions, locked instructions and lock
# acquisitions per operation, and a profile by function.
#
#   tools/bench/profile.py DIR SYSTEM_MAP
#
# DIR is that of tools/qemu.sh --control, which is to be started at the same time.
# The guest says "KSPAN-PROFILE on" and waits for a line; then each instruction is
# executed and logged alone, until it says "KSPAN-PROFILE off". Interrupts are left
# out. Counted too is the longest stretch in which preemption or interrupts were off:
# from an increment of the preemption count, or a cli, to what undoes the first of them,
# as everything that changes either is one of a few instructions. The results are written to DIR/profile.txt and DIR/locks.log.
#
# Whether an instruction is locked is read off its bytes in the guest's memory, as
# the kernel has patched them; boot with noreplace-smp, or it takes the locks out
# where there is one CPU.

import bisect
import collections
import os
import re
import socket
import sys
import threading
import time

PAGE = 4096
BEGIN, END = 'bench_window_begin', 'bench_window_end'
NO_FUNCTION = re.compile(r'__(pfx|pi|cfi)_|__\w+_(start|end|begin)$')
INTERRUPT = re.compile(r'asm_(sysvec|common_interrupt|exc)')
# An acquisition is a call of one of these. What they call does not count again.
LOCK = re.compile(r'(_raw_(spin|read|write)_(lock|trylock)(_irq|_irqsave|_bh|_nested)?'
                  r'|(mutex|down_read|down_write|rt_spin|rt_mutex|down)_?(lock|trylock)?'
                  r'(_interruptible|_killable|_nested)?|queued_spin_lock_slowpath)$')
# inc, dec, add and sub of an immediate at %gs:, relative to the next instruction or
# at an absolute address
COUNTING = re.compile(rb'\x65\x48?([\xff\x83\x81])([\x05\x0d\x2d]|[\x04\x0c\x2c]\x25)(....)',
                      re.DOTALL)
PREFIXES = frozenset([0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]) | \
    frozenset(range(0x40, 0x50))


def die(text):
    sys.exit(f'kspan: error: {text}')


def connect(path):
    """QEMU makes its sockets when it starts, which may be in a while."""
    end = socket.socket(socket.AF_UNIX)
    for _ in range(600):
        try:
            end.connect(path)
            return end
        except OSError:
            time.sleep(0.1)
    die(f'nothing listens at {path}: did tools/qemu.sh --control start?')


class Monitor:
    """QEMU's human monitor."""

    def __init__(self, path):
        self.end = connect(path)
        self.answer()

    def answer(self):
        text = b''
        while not text.endswith(b'(qemu) '):
            more = self.end.recv(65536)
            if not more:
                die('QEMU ended while it was asked for something')
            text += more
        return text.decode(errors='replace')

    def ask(self, command):
        self.end.sendall(command.encode() + b'\n')
        return self.answer()

    def one_by_one(self, on):
        """Translate each instruction alone. The command's name changed in QEMU 8.1."""
        for name in 'one-insn-per-tb', 'singlestep':
            if 'unknown command' not in self.ask(f'{name} {on}'):
                return
        die('this QEMU has neither of the monitor commands one-insn-per-tb and singlestep')


class Symbols:
    def __init__(self, system_map):
        self.at = {}
        self.addresses = {}
        self.sorted = []
        with open(system_map, encoding='ascii') as lines:
            for line in lines:
                self.add(*line.split()[:3])

    def add(self, address, kind, name):
        address = int(address, 16)
        self.addresses[name] = address
        if kind in 'tTwW' and not NO_FUNCTION.match(name):
            self.at.setdefault(address, name)
            self.sorted = []

    def find(self, address):
        if not self.sorted:
            self.sorted = sorted(self.at)
        place = bisect.bisect(self.sorted, address) - 1
        return self.at[self.sorted[place]] if place >= 0 else '?'

    def named(self, name):
        if name not in self.addresses:
            die(f'the guest has no symbol {name}')
        return self.addresses[name]

    def preempt_count(self):
        """Its offset in per-CPU data; from 6.2 to 6.14 it was a field of pcpu_hot."""
        if '__preempt_count' in self.addresses:
            return self.addresses['__preempt_count']
        return self.named('pcpu_hot') + 8

    def matching(self, pattern):
        return {a for name, a in self.addresses.items() if pattern.match(name)}


class Memory:
    """Code of the guest."""

    def __init__(self, monitor, directory):
        self.monitor = monitor
        self.file = os.path.join(directory, 'code')
        self.parts = []

    def read(self, start, end):
        if os.path.exists(self.file):
            os.unlink(self.file)
        self.monitor.ask(f'memsave {start:#x} {end - start} "{self.file}"')
        if not os.path.exists(self.file):
            die(f"QEMU could not read the guest's memory at {start:#x}")
        with open(self.file, 'rb') as code:
            self.parts.append((start, end, code.read()))
        os.unlink(self.file)

    def at(self, address, size=16):
        for start, end, code in self.parts:
            if start <= address < end:
                return code[address - start:address - start + size]
        return b''

    def is_locked(self, address):
        """A lock prefix, or an exchange with memory, which needs none."""
        code = self.at(address)
        for i, byte in enumerate(code[:-2]):
            if byte == 0xf0:
                return True
            if byte not in PREFIXES:
                return byte in (0x86, 0x87) and code[i + 1] < 0xc0
        return False

    def is_iret(self, address):
        return self.at(address, 2) == b'\x48\xcf'

    def switches(self, address, preempt_count):
        """How the instruction changes what is off: a number of preemption levels, a word
        about interrupts, or None."""
        code = self.at(address)
        if code[:1] == b'\xfa':
            return 'off'
        if code[:1] == b'\xfb':
            return 'on'
        found = COUNTING.match(code)
        if not found:
            return None
        opcode, modrm, target = found.groups()
        register = modrm[0] >> 3 & 7
        target = int.from_bytes(target, 'little', signed=True)
        amount = b'\x01'
        if opcode != b'\xff':
            amount = code[found.end():found.end() + (1 if opcode == b'\x83' else 4)]
        if len(modrm) == 1:
            target += address + found.end() + (len(amount) if opcode != b'\xff' else 0)
        if (target - preempt_count) % (1 << 64):
            return None
        up = int.from_bytes(amount, 'little', signed=True) > 0
        return 1 if up == (register == 0) else -1


class Executed:
    """What was executed between two marks."""

    def __init__(self, switch_of):
        self.counts = collections.Counter()
        self.switch_of = switch_of
        self.longest = 0
        self.off_for = 0
        self.preempt_off = 0
        self.interrupts_off = False

    def add(self, at):
        self.counts[at] += 1
        was_off = self.preempt_off or self.interrupts_off
        if was_off:
            self.off_for += 1
        switch = self.switch_of(at)
        if switch is None:
            return
        if switch in ('on', 'off'):
            self.interrupts_off = switch == 'off'
        else:
            self.preempt_off = max(0, self.preempt_off + switch)
        if was_off and not (self.preempt_off or self.interrupts_off):
            self.longest = max(self.longest, self.off_for)
        if not was_off:
            self.off_for = 0


class Reader(threading.Thread):
    """Counts the addresses between the marks of each window in QEMU's log."""

    def __init__(self, fifo, symbols, memory):
        super().__init__(daemon=True)
        self.fifo = fifo
        self.windows = []
        self.lines = 0
        self.memory = memory
        self.switches = {}
        self.preempt_count = symbols.preempt_count()
        name = '{:016x}'.format
        self.begin = name(symbols.named(BEGIN)).encode()
        self.end = name(symbols.named(END)).encode()
        self.interrupts = {name(a).encode() for a in symbols.matching(INTERRUPT)}
        start = symbols.named('native_irq_return_iret')
        self.irets = {name(a).encode() for a in range(start, start + 64) if memory.is_iret(a)}
        if not self.irets:
            die('no iret at native_irq_return_iret')

    def run(self):
        window = None
        depth = 0
        special = self.interrupts | self.irets | {self.begin, self.end}
        own = None
        for cpu, at in self.executed():
            if own not in (None, cpu):
                continue
            if at in special:
                if at == self.begin:
                    window, depth, own = Executed(self.switch_of), 0, cpu
                    self.windows.append(window)
                elif at == self.end:
                    window = own = None
                elif at in self.interrupts:
                    depth += 1
                elif depth:
                    depth -= 1
                    continue
            if window is not None and not depth:
                window.add(at)

    def switch_of(self, at):
        if at not in self.switches:
            self.switches[at] = self.memory.switches(int(at, 16), self.preempt_count)
        return self.switches[at]

    def executed(self):
        """CPU and address of each instruction that was executed, as text."""
        last = {}
        with open(self.fifo, 'rb', buffering=1 << 20) as lines:
            for line in lines:
                self.lines += 1
                if line.startswith(b'Trace'):
                    cpu = line[6:line.index(b':')]
                    if last.get(cpu):
                        yield cpu, last[cpu]
                    last[cpu] = line.split(b'/', 2)[1]
                elif line.startswith(b'Stopped'):
                    # It was logged, and then it had to wait for an interrupt.
                    at = line[line.index(b'[') + 1:line.index(b']')]
                    for cpu, other in last.items():
                        if other == at:
                            last[cpu] = None
                            break
        yield from last.items()


class Window:
    """Of one allocator, pattern, size and n: what was executed."""

    def __init__(self, line, executed, symbols, memory):
        self.text = dict(word.split('=', 1) for word in line.split())
        self.operations = int(self.text['operations'])
        self.instructions = collections.Counter()
        self.entered = collections.Counter()
        self.locked = collections.Counter()
        self.acquired = collections.Counter()
        locks = symbols.matching(LOCK)
        self.longest_off = executed.longest
        for address, count in executed.counts.items():
            address = int(address, 16)
            name = symbols.find(address)
            if name in (BEGIN, END):
                continue
            self.instructions[name] += count
            if address in symbols.at:
                self.entered[name] += count
            if address in locks:
                self.acquired[name] += count
            if memory.is_locked(address):
                self.locked[name] += count

    def per_operation(self, counter):
        return sum(counter.values()) / self.operations

    def name(self):
        text = self.text
        return f"pattern={text['pattern']} size={text['size']} n={text['n']}"

    def show(self, empty, out):
        total = self.per_operation(self.instructions)
        loop = empty.per_operation(empty.instructions)
        print(f"\n{self.name()} {self.text['window']}: {self.operations} operations, "
              f'{total - loop:.2f} instructions each and {loop:.2f} for the loop', file=out)
        print(f'{"instructions":>12} {"share":>6} {"entered":>8} {"locked":>8}  function', file=out)
        for name, count in self.instructions.most_common():
            count /= self.operations
            if count < 0.005:
                continue
            print(f'{count:12.2f} {100 * count / total:5.1f}% '
                  f'{self.entered[name] / self.operations:8.3f} '
                  f'{self.locked[name] / self.operations:8.3f}  {name}', file=out)
        locks = ', '.join(f'{name} {count}' for name, count in self.acquired.most_common())
        print(f'lock acquisitions in all: {locks or "none"}', file=out)
        print(f'longest stretch with preemption or interrupts off: {self.longest_off} instructions',
              file=out)


def write_results(directory, windows):
    by_name = collections.defaultdict(dict)
    for window in windows:
        by_name[window.name()][window.text['window']] = window
    with open(os.path.join(directory, 'profile.txt'), 'w', encoding='ascii') as profile, \
            open(os.path.join(directory, 'locks.log'), 'w', encoding='ascii') as locks:
        for name, each in by_name.items():
            loop = each['empty'].per_operation(each['empty'].instructions)
            line = name
            for allocator in 'kspan', 'slub':
                window = each[allocator]
                window.show(each['empty'], profile)
                line += f' {allocator}={window.per_operation(window.instructions) - loop:.2f}'
            ours, theirs = (each[a].per_operation(each[a].instructions) - loop
                            for a in ('kspan', 'slub'))
            line += f' ratio={ours / theirs:.2f}' if theirs else ' ratio=-'
            for what in 'locked', 'acquired':
                for allocator in 'kspan', 'slub':
                    per_1000 = 1000 * each[allocator].per_operation(getattr(each[allocator], what))
                    line += f' {allocator}_{what}={per_1000:.1f}'
            for allocator in 'kspan', 'slub':
                line += f' {allocator}_off={each[allocator].longest_off}'
            print(line, file=locks)


def main():
    if len(sys.argv) != 3:
        die('usage: tools/bench/profile.py DIR SYSTEM_MAP')
    directory = os.path.abspath(sys.argv[1])
    symbols = Symbols(sys.argv[2])
    control = connect(os.path.join(directory, 'control'))
    guest = control.makefile('rw', encoding='ascii', errors='replace', newline='\n')
    monitor = Monitor(os.path.join(directory, 'monitor'))
    try:
        follow(directory, symbols, guest, monitor)
    except BaseException:
        # The guest would wait for an answer.
        monitor.end.sendall(b'quit\n')
        monitor.end.recv(65536)
        raise


def follow(directory, symbols, guest, monitor):
    fifo = os.path.join(directory, 'instructions')
    memory = Memory(monitor, directory)
    reader = None
    lines = []
    modules = set()
    for line in guest:
        line = line.strip()
        if line.startswith('symbol='):
            words = line[len('symbol='):].split()
            symbols.add(*words)
            if words[1] in 'tT':
                modules.add(int(words[0], 16) // PAGE * PAGE)
        elif line.startswith('window='):
            lines.append(line)
        elif line == 'KSPAN-PROFILE on':
            memory.read(symbols.named('_stext'), symbols.named('_etext'))
            for page in sorted(modules):
                memory.read(page, page + PAGE)
            if not os.path.exists(fifo):
                os.mkfifo(fifo)
            reader = Reader(fifo, symbols, memory)
            reader.start()
            monitor.ask(f'logfile {fifo}')
            monitor.one_by_one('on')
            monitor.ask('log exec,nochain')
            print('', file=guest, flush=True)
        elif line == 'KSPAN-PROFILE off':
            monitor.ask('log none')
            monitor.one_by_one('off')
            monitor.ask(f'logfile {os.path.join(directory, "qemu-monitor.log")}')
            reader.join()
            os.unlink(fifo)
            print('', file=guest, flush=True)
        elif line.startswith('KSPAN-VERDICT'):
            break
    if reader is None or len(lines) != len(reader.windows):
        die(f'{len(lines)} windows were announced and '
            f'{len(reader.windows) if reader else 0} seen in the log of instructions')
    print(f'kspan: {reader.lines} lines of instructions read', file=sys.stderr)
    write_results(directory, [Window(line, executed, symbols, memory)
                              for line, executed in zip(lines, reader.windows)])


main()
