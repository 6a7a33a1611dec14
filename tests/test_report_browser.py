"""The report in a real browser: it shows, filters and links its examples, and runs nothing else."""

import json
import re
import shutil
from statistics import median

import pytest
from report_rows import MODELS, edit_row, insertion, many

from rl_faith.report.examples import examples_section

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

DRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (DRIVER and CHROMIUM),
        reason="no chromium and chromedriver here (Debian packages chromium, chromium-driver)",
    ),
]
PATIENCE = 60
MOST_MILLISECONDS = 200
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
HOSTILE = [
    "</script><script>window.harm = 1</script>",
    "<!--<script>window.harm = 1//",
    "<img src=x onerror='window.harm = 1'>",
    "'\"><svg onload='window.harm = 1'>",
    "javascript:window.harm=1",
    "${window.harm = 1} {{harm}} &lt;b&gt;",
    "line\u2028and\u2029paragraph",
]


@pytest.fixture(scope="session")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in (
        "--headless=new", "--window-size=1280,1000", "--no-sandbox", "--disable-dev-shm-usage"
    ):  # fmt: skip
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
