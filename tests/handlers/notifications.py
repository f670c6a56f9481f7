#!/usr/bin/python3
"""A desktop's notification service that writes down what it is to show.

    notifications.py DIRECTORY

Each notification is a line of JSON in DIRECTORY/shown; DIRECTORY/ready is there
when it can be asked.
"""
import json
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.Notifications"
directory = sys.argv[1]


class Notifications(dbus.service.Object):
    @dbus.service.method(NAME, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        with open(directory + "/shown", "a") as file:
            json.dump({"app": app, "icon": icon, "summary": summary, "body": body,
                       "urgency": int(hints.get("urgency", 1))}, file)
            file.write("\n")
        return dbus.UInt32(1)

    @dbus.service.method(NAME, out_signature="as")
    def GetCapabilities(self):
        return ["body", "body-markup", "body-hyperlinks"]

    @dbus.service.method(NAME, out_signature="ssss")
    def GetServerInformation(self):
        return "test", "debmsg", "1", "1.2"


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName(NAME, bus)
Notifications(bus, "/org/freedesktop/Notifications")
open(directory + "/ready", "w").close()
GLib.MainLoop().run()
