"""The one kind of error that is meant for users."""


class UserError(Exception):
    """Something that its reader can mend; the message says where and how. It is shown without traceback."""
