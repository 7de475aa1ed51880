"""Errors that only a page can meet; the others come from the appliance."""

from __future__ import annotations

from appliance.errors import InputError


class PageNotFoundError(InputError):
    key = "page_not_found"
    template = "There is no page at this address."
    status = 404


class RequestTooLargeError(InputError):
    key = "request_too_large"
    template = "What was sent is larger than {kilobytes} kB, which is the most."
    status = 413


class ForeignFormError(InputError):
    """The form was not sent from a page of this box: another site may be at work (CSRF)."""

    key = "foreign_form"
    template = "This form was not sent from a page of this box."
    status = 403


class UnknownHostError(InputError):
    """The box was reached by a name that is not its own: DNS may have been rebound to it."""

    key = "unknown_host"
    template = "This box does not answer to the name {host}."
    status = 421


class UnusableRequestError(InputError):
    key = "unusable_request"
    template = "The box cannot use this request."


class NotAtTheBoxError(InputError):
    """The first PIN is set on the box's own screen, or by its command line: else whoever came first would have it."""

    key = "not_at_the_box"
    template = "The first PIN is set at the box itself: on its own screen, or with `baraza keeper pin`."
    status = 403


class PinDiffersError(InputError):
    key = "pin_differs"
    template = "The two are not the same."


class PassphraseDiffersError(InputError):
    key = "passphrase_differs"
    template = "The two passphrases are not the same."


class NothingChosenError(InputError):
    key = "nothing_chosen"
    template = "Nothing was chosen."


class BusyStreamsError(InputError):
    """Too many pages follow their requests live; this one has to reload now and then."""

    key = "busy_streams"
    template = "Too many phones follow their requests at once."
    status = 503
