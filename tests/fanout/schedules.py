"""What becomes of a sweep, drawn by a seed: losses of workers, drivers, nodes and of MLflow's server, and another sweep beside it."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable

import psutil

from tests.fanout.worlds import LEAVE_S, Launch, World, jobs_of, results, runs, title

FIRST_FAILS = 4
"""Jobs of the first sweep that a launch does not do by itself, and one more."""
WAIT_S = 10
"""How long a worker may take to be at work."""
START_S = 12.0
"""A launch takes about so long to begin its first job; what comes early may come at any moment of that."""


def _kill_a_worker(world: World) -> None:
    until = time.monotonic() + WAIT_S
    while not (workers := world.workers()) and world.living and time.monotonic() < until:
        time.sleep(0.02)
    for victim in world.draw.sample(workers, min(1, len(workers))):
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()


def _signalled(number: signal.Signals) -> Callable[[World], None]:
    def send(world: World) -> None:
        launch = world.draw.choice(world.living or [*world.launches.values()])
        launch.all()
        launch.driver.send_signal(number)
        settle(world, launch, number)
        world.launch(launch.sweep)

    return send


def _launch_beside(world: World) -> None:
    if "beside" not in world.launches:
        world.launch("beside")


def _remove_a_node(world: World) -> None:
    """Sometimes another one comes in its place."""
    assert world.cluster is not None
    others = [node for node in world.cluster.nodes[1:] if node.process.poll() is None]
    for node in others:
        node.lose()
    if not others or world.draw.random() < 0.5:
        world.cluster.add("--num-cpus=1")


def _restart_the_server(world: World) -> None:
    assert world.server is not None
    for launch in world.living:
        launch.upset = True
    world.server.kill()
    time.sleep(world.draw.uniform(0, 8))
    world.server.start()
    world.server.wait()


LOSES_DRIVER: dict[str, Callable[[World], None]] = {
    "kill a driver": _signalled(signal.SIGKILL),
    "interrupt a driver": _signalled(signal.SIGINT),
    "terminate a driver": _signalled(signal.SIGTERM),
}
ALONE = LOSES_DRIVER | {"kill a worker": _kill_a_worker, "launch a sweep beside": _launch_beside}
ACTIONS = ALONE | {"remove a node": _remove_a_node, "restart the server": _restart_the_server}
"""What is done, in a world of one's own and in one that others may use too."""


def schedule(seed: int) -> tuple[bool, list[tuple[str, int]]]:
    """Whether the world is shared; and what is done there, each when so many jobs are done: a driver is lost at least once."""
    draw = random.Random(seed)
    shared = bool(seed % 2)
    actions = [draw.choice(list(LOSES_DRIVER))]
    actions += draw.sample([action for action in (ACTIONS if shared else ALONE) if action != actions[0]], draw.choice([2, 3]))
    draw.shuffle(actions)
    return shared, list(zip(actions, sorted(draw.choices(range(len(jobs_of("mine")) - FIRST_FAILS), k=len(actions))), strict=True))


def await_moment(world: World, at: int) -> bool:
    """Wait until so many jobs are done, and a moment more; whether any launch still lives then."""
    while len(results(world.place)) < at and keep_going(world):
        time.sleep(0.02)
    young = any(time.monotonic() - launch.began < 1 for launch in world.living)
    until = time.monotonic() + world.draw.uniform(0, START_S if young else 1)
    while time.monotonic() < until and keep_going(world):
        time.sleep(0.02)
    return bool(world.living)


def keep_going(world: World) -> bool:
    """Launch again what has ended and left something undone; whether any launch lives."""
    for launch in [one for one in world.launches.values() if not one.alive]:
        if settle(world, launch):
            world.launch(launch.sweep)
    return bool(world.living)


def settle(world: World, launch: Launch, number: signal.Signals | None = None) -> int:
    """The exit status of a launch that was sent a signal or has ended by itself; that, and what it leaves behind, must be in order."""
    if launch.status is not None:
        return launch.status
    status, said = launch.ended(), launch.said.read_text()
    begun, expected = " points: " in said, {0, 1, 2} if launch.upset else {0, 1}
    if number == signal.SIGKILL:
        expected |= {-number}
    elif number:
        expected |= {130} if begun else {130, -number}
    assert status in expected, f"{launch.said.name}: {status}\n{said}"
    faults = "\nValueError: a job's own\n", ".UnpicklableError: cannot be sent\n"
    assert said.count("Traceback (most recent") == sum(map(said.count, faults)) or not begun, f"{launch.said.name}\n{said}"
    done = results(world.place)
    assert world.done.items() <= done.items(), "what is done is not done again"
    launch.status, world.done = status, done
    alone = not world.living
    until = time.monotonic() + LEAVE_S
    while alone and (left := world.workers()):
        assert time.monotonic() < until, [title(one) for one in left]
        time.sleep(0.1)
    running = {run.info.run_id for run in runs(world.place) if run.info.status == "RUNNING"}
    assert not alone or status != 130 or running <= world.orphans, f"who can clear up does: {launch.said.name}"
    world.orphans = running
    return status
