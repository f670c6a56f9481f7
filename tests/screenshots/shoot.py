#!/usr/bin/python3
"""Pictures of RabbitMQ's management UI: shoot.py URL DIRECTORY

URL has the login in it, as DEBMSG_MGMT_URL of quickstart has.  DIRECTORY gets
exchange.png, queues.png, stream.png and message.png.  Each picture is taken
when what it is about is on the page; if that does not come, the program fails.
"""

import base64
import os
import sys
import urllib.parse

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

DEADLINE = 120  # seconds
WIDTH = 1100


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--hide-scrollbars", "--disable-gpu",
                     "--disable-dev-shm-usage", "--force-device-scale-factor=1",
                     "--lang=en", "--no-first-run", "--disable-background-networking"):
        options.add_argument(argument)
    if os.getuid() == 0:
        options.add_argument("--no-sandbox")
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class Camera:
    def __init__(self, driver, url, directory):
        parts = urllib.parse.urlsplit(url)
        self.base = f"http://{parts.hostname}:{parts.port}"
        self.login = (parts.username, parts.password)
        self.driver = driver
        self.directory = directory

    def wait(self, condition, what):
        # The page makes parts of itself anew every five seconds.
        WebDriverWait(self.driver, DEADLINE, ignored_exceptions=[
            NoSuchElementException, StaleElementReferenceException,
        ]).until(condition, what + ": not on the page")

    def wait_for(self, *texts):
        def there(driver):
            page = driver.find_element(By.ID, "main").text
            return all(text in page for text in texts)
        self.wait(there, ", ".join(texts))

    def enter(self):
        self.driver.get(self.base + "/")
        self.wait(lambda d: d.find_elements(By.NAME, "username"), "the login")
        for name, value in zip(("username", "password"), self.login):
            self.driver.find_element(By.NAME, name).send_keys(value)
        self.driver.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
        self.wait_for("Overview")

    def open(self, page):
        self.driver.get(f"{self.base}/#/{page}")

    def section(self, title):
        """Opens a section of the page, which is closed at first."""
        path = f"//div[h2[contains(., '{title}')]]"
        def opened(driver):
            section = driver.find_element(By.XPATH, path)
            if "section-visible" in section.get_attribute("class"):
                return True
            section.find_element(By.TAG_NAME, "h2").click()
            return False
        self.wait(opened, f"the section {title}")
        return self.driver.find_element(By.XPATH, path)

    def picture(self, name, first=None, last=None):
        """The page from its top, or from an element, down to the end of another."""
        def edge(side, element):
            return self.driver.execute_script(
                f"return arguments[0].getBoundingClientRect().{side} + window.scrollY", element)
        main = self.driver.find_element(By.ID, "main")
        top = max(0, edge("top", first) - 12) if first else 0
        bottom = edge("bottom", last or main) + 12
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": top, "width": WIDTH, "height": bottom - top, "scale": 1},
        })
        with open(os.path.join(self.directory, name + ".png"), "wb") as file:
            file.write(base64.b64decode(shot["data"]))


def exchange(camera):
    camera.open("exchanges/debmsg/debmsg")
    camera.wait_for("Publish (In)")
    bindings = camera.section("Bindings")
    camera.wait_for("consumer.lintian", "org.debian.*.dak.upload.accept.#", "debmsg.log")
    camera.picture("exchange", last=bindings.find_element(By.TAG_NAME, "table"))


def queues(camera):
    camera.open("queues")
    camera.wait_for("consumer.dashboard", "debmsg.log", "debmsg.parked", "stream")
    camera.picture("queues")


def stream(camera):
    camera.open("queues/debmsg/debmsg.log")
    camera.wait_for("Publish", "Effective policy definition", "max-age")
    camera.picture("stream", last=camera.driver.find_element(By.CSS_SELECTOR, "div.section-visible"))


def message(camera):
    """A stream has no "Get messages": this is of a consumer's queue."""
    camera.open("queues/debmsg/consumer.lintian")
    camera.wait_for("Get messages")
    opened = camera.section("Get messages")
    opened.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    camera.wait_for("tlog-proof", "specversion")
    # The page shows the payload as one long line, to be scrolled, and breaks names in two.
    camera.driver.execute_script(
        "for (const e of document.querySelectorAll('pre')) { e.style.whiteSpace = 'pre-wrap' }"
        "for (const e of document.querySelectorAll('pre, td')) { e.style.wordBreak = 'break-all' }"
        "for (const e of document.querySelectorAll('th')) { e.style.whiteSpace = 'nowrap' }")
    camera.picture("message", first=opened, last=opened)


def main(url, directory):
    driver = browser()
    try:
        driver.set_window_size(WIDTH, 1400)
        camera = Camera(driver, url, directory)
        camera.enter()
        for shoot in (exchange, queues, stream, message):
            shoot(camera)
    finally:
        driver.quit()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
