"""Reports opened in Chromium; a module that imports this is skipped where there is none."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    missing = "chromium and chromedriver are not here: Debian packages chromium, chromium-driver"
    pytest.skip(missing, allow_module_level=True)
PATIENCE = 20


@dataclass(frozen=True)
class Browser:
    """A page in Chromium, and what is done with it."""

    driver: "webdriver.Chrome"

    def open(self, page: Path, address: str = "") -> None:
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(page.as_uri() + address)
        self.until(lambda: not self.status.startswith("Reading"))

    def until(self, true) -> None:
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.02).until(lambda _: true())

    def one(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, f"#examples {selector}")

    def all(self, selector: str):
        return self.driver.find_elements(By.CSS_SELECTOR, f"#examples {selector}")

    def texts(self, selector: str) -> list[str]:
        return [found.text for found in self.all(selector)]

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def emulate(self, command: str, **settings) -> None:
        self.driver.execute_cdp_cmd(f"Emulation.{command}", settings)

    @property
    def status(self) -> str:
        return self.one("[role=status]").text

    @property
    def found(self) -> int:
        return int(self.status.split(" ", 1)[0].replace(",", ""))

    @property
    def address(self) -> str:
        return self.driver.current_url.partition("#")[2]

    def choose(self, name: str, value: str) -> None:
        Select(self.one(f"[name={name}]")).select_by_value(value)

    def write(self, words: str) -> None:
        self.one("[name=text]").send_keys(words)

    def unfold(self, number: int = 0) -> None:
        summary = self.all("summary")[number]
        # The driver scrolls there itself, and clicks before the page has come to rest.
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", summary)
        summary.click()
        self.until(lambda: "example=" in self.address)
        # What opens moves what stands below it, where the next click goes.
        self.until(lambda: len(self.all("[open] .ex-cards")) == len(self.all("details[open]")))


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver):
    """A tab of its own, for a tab keeps what was emulated and where one has been."""
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    driver.set_window_size(1280, 1000)
    yield Browser(driver)
    driver.close()
    driver.switch_to.window(first)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page about some rows; those of the two tests are two runs."""
    from rl_faith.cli import main  # noqa: PLC0415 - brings torch

    def report(*runs: list[dict]) -> Path:
        folder = tmp_path_factory.mktemp("report")
        for number, rows in enumerate(runs):
            (folder / f"run-{number}").mkdir()
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"run-{number}" / "instances.jsonl").write_text(lines)
        named = [str(path) for path in sorted(folder.glob("run-*"))]
        main(["compare", *named, "--report", str(folder / "page")])
        return folder / "page" / "index.html"

    return report


def unfold_all(browser):
    while browser.one(".ex-more").is_displayed():
        browser.one(".ex-more").click()
    browser.run("document.querySelectorAll('#examples details').forEach(d => { d.open = true; })")
    browser.until(lambda: len(browser.all(".ex-cards")) == len(browser.all("details")))


def requests(browser) -> list[str]:
    """What the page asked for since it was opened."""
    entries = [json.loads(e["message"])["message"] for e in browser.driver.get_log("performance")]
    sent = (e["params"] for e in entries if e["method"] == "Network.requestWillBeSent")
    return [params["request"]["url"] for params in sent]
