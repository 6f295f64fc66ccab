"""Every top-level command: its module, whose `app` is a Typer, and its one line in `vpsctl --help`."""

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("vpsctl.cli.init", "Set this machine up: state directory, network, Caddy, Postgres, Redis."),
    "doctor": ("vpsctl.cli.doctor", "Check this machine, and say how to mend what is wrong."),
    "status": ("vpsctl.cli.status", "The machine, the foundation and every site at a glance."),
    "budget": ("vpsctl.cli.budget", "The sum of every cap against what the machine has."),
    "site": ("vpsctl.cli.site", "Add, list, show, adopt and remove sites; maintenance pages."),
    "plan": ("vpsctl.cli.plan", "What a deploy of a site would do, step by step."),
    "deploy": ("vpsctl.cli.deploy", "Deploy a site without a failed request; resume or abort a deploy that was killed."),
    "rollback": ("vpsctl.cli.rollback", "Deploy an earlier release of a site again."),
    "release": ("vpsctl.cli.release", "The releases of a site."),
    "env": ("vpsctl.cli.env", "The variables of a site."),
    "cred": ("vpsctl.cli.cred", "Credentials: kept encrypted, given to sites by name."),
    "logs": ("vpsctl.cli.logs", "What a site's containers print."),
    "exec": ("vpsctl.cli.exec", "Run a command in a site's container."),
    "start": ("vpsctl.cli.start", "Start a stopped site."),
    "stop": ("vpsctl.cli.stop", "Stop a site; nothing is removed."),
    "restart": ("vpsctl.cli.restart", "Restart a site's containers."),
    "scale": ("vpsctl.cli.scale", "Change how many containers a service has."),
    "container": ("vpsctl.cli.container", "Every container on the machine, ours or not."),
    "proxy": ("vpsctl.cli.proxy", "The routes that Caddy serves."),
    "run": ("vpsctl.cli.run", "The history of long operations: steps, timings, log."),
}
