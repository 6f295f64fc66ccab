"""The first process of a machine made of namespaces: a /run of its own and the loopback; everything ends with it.

usage: python boot.py [DIRECTORY=SIZE ...]      a small disk (tmpfs) at each directory
It ends when its stdin closes, so also when the tests are killed. Ended children are reaped by ignoring SIGCHLD.
"""

import fcntl
import signal
import socket
import struct
import subprocess
import sys

SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

for disk in ("/run=1G", *sys.argv[1:]):
    directory, _, size = disk.partition("=")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", directory], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("booted", flush=True)
sys.stdin.read()
