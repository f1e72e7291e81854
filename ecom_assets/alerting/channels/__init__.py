"""The channels that messages go to: one module per way of sending, and the file that has them all."""

from ecom_assets.alerting.channels.alertmanager import Alertmanager
from ecom_assets.alerting.channels.channel import Channel, NotSent, Refused
from ecom_assets.alerting.channels.file import File
from ecom_assets.alerting.channels.mail import Mail
from ecom_assets.alerting.channels.others import Others
from ecom_assets.alerting.channels.webhook import Webhook
from ecom_assets.alerting.configuration import ChannelSettings, Delivery

__all__ = ["Alertmanager", "Channel", "NotSent", "Refused", "channels_of"]


def channels_of(delivery: Delivery) -> list[Channel]:
    """Returns the file, the one webhook that a setting of its own names, and the channels of the settings."""
    found: list[Channel] = [File(delivery.file)]
    if delivery.webhook:
        found.append(Webhook(ChannelSettings("slack", "webhook", url=delivery.webhook)))
    return found + [_channel(settings) for settings in delivery.settings.channels]


def _channel(settings: ChannelSettings) -> Channel:
    match settings.kind:
        case "email":
            return Mail(settings)
        case "alertmanager":
            return Alertmanager(settings)
        case "apprise":
            return Others(settings)
    return Webhook(settings)
