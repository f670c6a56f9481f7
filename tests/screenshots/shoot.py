#!/usr/bin/python3
"""Pictures of RabbitMQ's management UI: shoot.py URL DIRECTORY

URL has the login in it, as DEBMSG_MGMT_URL of quickstart has.  DIRECTORY gets
exchange.png, queues.png, stream.png and message.png.  Each picture is taken
when what it is about is on the page; if that does not come, the program fails.
"""

import os
import sys
import urllib.parse

from selenium import webdriver
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
        WebDriverWait(self.driver, DEADLINE).until(condition, what + ": not on the page")

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
        """Opens a section of the page, if it is closed."""
        for heading in self.driver.find_elements(By.CSS_SELECTOR, "div.section, div.section-hidden"):
            title_of = heading.find_element(By.TAG_NAME, "h2")
            if title_of.text.startswith(title):
                if "section-hidden" in heading.get_attribute("class"):
                    title_of.click()
                return heading
        raise SystemExit(f"shoot.py: there is no section {title}")

    def picture(self, name, element=None):
        """The element, or all that the page is about."""
        element = element or self.driver.find_element(By.ID, "main")
        end = self.driver.execute_script(
            "return Math.ceil(arguments[0].getBoundingClientRect().bottom + window.scrollY)", element)
        self.driver.set_window_size(WIDTH, end + 200)
        # The new size is there when the page says so.
        self.wait(lambda d: d.execute_script("return window.innerHeight") >= end, "the window")
        element.screenshot(os.path.join(self.directory, name + ".png"))


def main(url, directory):
    driver = browser()
    try:
        driver.set_window_size(WIDTH, 1400)
        camera = Camera(driver, url, directory)
        camera.enter()
        camera.open("exchanges/debmsg/debmsg")
        camera.wait_for("Bindings")
        camera.section("Bindings")
        camera.wait_for("debmsg.log", "consumer.dashboard")
        camera.picture("exchange")
        camera.open("queues")
        camera.wait_for("consumer.lintian", "debmsg.log", "debmsg.parked")
        camera.picture("queues")
        camera.open("queues/debmsg/debmsg.log")
        camera.wait_for("debmsg.log", "history", "stream")
        camera.picture("stream")
        camera.open("queues/debmsg/consumer.dashboard")
        camera.wait_for("consumer.dashboard", "Get messages")
        section = camera.section("Get messages")
        camera.wait(lambda d: section.find_element(By.CSS_SELECTOR, "input[type=submit]").is_displayed(),
                    "the button")
        section.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
        camera.wait_for("specversion")
        # The page shows the payload as one long line, to be scrolled.
        driver.execute_script(
            "for (const e of document.querySelectorAll('pre')) e.style.whiteSpace = 'pre-wrap';"
            "for (const e of document.querySelectorAll('pre, td')) e.style.wordBreak = 'break-all'")
        camera.picture("message", section)
    finally:
        driver.quit()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
