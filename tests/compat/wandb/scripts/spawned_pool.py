"""A run in each worker of a pool, a forked process that only looks, and the main run around."""

import multiprocessing as mp

import wandb


def child(i):
    run = wandb.init(project="mp", group="pool", name=f"child{i}", reinit=True)
    for k in range(3):
        run.log({"k": k * i})
    run.finish()
    return i


def onlooker(queue):
    queue.put(wandb.run is not None)


if __name__ == "__main__":
    main = wandb.init(project="mp", name="main")
    main.log({"m": 1})
    with mp.get_context("spawn").Pool(2) as pool:
        assert sorted(pool.map(child, [1, 2, 3])) == [1, 2, 3]
    fork = mp.get_context("fork")
    queue = fork.Queue()
    process = fork.Process(target=onlooker, args=(queue,))
    process.start()
    queue.get()
    process.join()
    assert process.exitcode == 0
    main.log({"m": 2})
    main.finish()
