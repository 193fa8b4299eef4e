"""The API beside another server of the same weights: time to the first token, and requests a second.

    python -m tests.benchmarks.api theta=http://127.0.0.1:8765/v1=TOKEN llama.cpp=http://127.0.0.1:8080/v1

Each server is NAME=ADDRESS[=TOKEN]: `theta serve --json` says its own; `llama-server -m model-F16.gguf` serves what
`theta export gguf` wrote. They are asked in turn, so that both meet the same load of the machine: greedy replies to the
same prompts, one after the other, and then by four programs at once.
"""

from __future__ import annotations

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

PROMPTS = ("hello", "Who are you?", "What can I cook tonight?", "Tell me something about the sea.", "How are you?")
AT_ONCE = 4


@dataclass
class Server:
    """A server, and what was measured of it: seconds to the first token, seconds in all, requests a second."""

    name: str
    http: httpx.Client
    model: str
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def connected(argument: str) -> Server:
    name, address, *token = argument.split("=", 2)
    headers = {"authorization": f"Bearer {token[0]}"} if token else {}
    # A connection for each request: a server may close one that was idle at the moment in which it is used again.
    limits = httpx.Limits(max_keepalive_connections=0)
    http = httpx.Client(base_url=address, headers=headers, timeout=300, limits=limits)
    return Server(name, http, http.get("/models").raise_for_status().json()["data"][0]["id"])


def ask(server: Server, prompt: str) -> tuple[float, float]:
    """Seconds to the first token, and in all, of a streamed reply."""
    body = {"model": server.model, "messages": [{"role": "user", "content": prompt}], "temperature": 0,
            "max_tokens": 48, "stream": True}  # fmt: skip
    began, first = time.perf_counter(), 0.0
    with server.http.stream("POST", "/chat/completions", json=body) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if not first and '"content":"' in line.replace(" ", "") and '"content":""' not in line.replace(" ", ""):
                first = time.perf_counter() - began
    return first, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="+", metavar="NAME=ADDRESS[=TOKEN]")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    servers = [connected(argument) for argument in options.servers]
    for server in servers:
        ask(server, PROMPTS[0])
    for _ in range(options.rounds):
        for prompt in PROMPTS:
            for server in servers:
                first, whole = ask(server, prompt)
                server.first.append(first)
                server.whole.append(whole)
        for server in servers:
            began = time.perf_counter()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda prompt, server=server: ask(server, prompt), PROMPTS * 4))  # type: ignore[misc]
            server.rates.append(4 * len(PROMPTS) / (time.perf_counter() - began))
    print(f"{'':12} {'first token':>12} {'whole reply':>12} {f'requests/s, {AT_ONCE} at once':>24}")
    for server in servers:
        first, whole = (1000 * statistics.median(values) for values in (server.first, server.whole))
        print(f"{server.name:12} {first:9.1f} ms {whole:9.1f} ms {statistics.median(server.rates):24.1f}")


if __name__ == "__main__":
    main()
