"""What every page needs to have at hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from flask import Flask, current_app

from appliance.app import Appliance
from appliance.limits import Limits
from webui.assets import Assets


@dataclass(frozen=True)
class Site:
    """`streams` counts down the event streams that may still be opened; `stopping` tells the open ones to end."""

    appliance: Appliance
    assets: Assets
    streams: threading.BoundedSemaphore
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def limits(self) -> Limits:
        return self.appliance.limits


def site_of(app: Flask) -> Site:
    """The site that `create_app` hung on `app`."""
    site: Site = app.extensions["baraza"]
    return site


def current_site() -> Site:
    """The site of this request."""
    return site_of(current_app)


def appliance() -> Appliance:
    """The appliance behind this request."""
    return current_site().appliance
