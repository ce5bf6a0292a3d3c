import json

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, draws_umap

from voxsight.studies.projection import project, rare_as_others, write_projection

pytestmark = [pytest.mark.slow, draws_umap]


@pytest.fixture
def clouds(rng):
    """Three clouds far from each other in ten dimensions."""
    centres = 20 * np.eye(3, 10)
    return np.concatenate([rng.normal(c, 1.0, (25, 10)) for c in centres]), np.repeat([0, 1, 2], 25)


def test_principal_components_are_those_of_the_covariance(clouds):
    values, _ = clouds
    points, explained = project(values)
    variances, axes = np.linalg.eigh(np.cov(values.T))
    np.testing.assert_allclose(explained, variances[::-1][:2] / variances.sum(), atol=1e-9)
    expected = (values - values.mean(axis=0)) @ axes[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(points["PCA"]), np.abs(expected), atol=1e-6)


def test_neighbours_stay_neighbours(clouds):
    values, cloud = clouds
    points, _ = project(values)
    for xy in points.values():
        distances = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 1e9 * np.eye(len(xy))
        assert np.mean(cloud[distances.argmin(axis=1)] == cloud) == 1.0
    again, _ = project(values)
    np.testing.assert_array_equal(points["UMAP"], again["UMAP"])


def test_only_the_commonest_values_have_a_colour():
    assert rare_as_others(["a", "a", "b"]) == ["a", "a", "b"]
    many = [f"s{i}" for i in range(30)] + ["s7"]
    assert rare_as_others(many).count("others") == 21 and rare_as_others(many)[7] == "s7"


@pytest.fixture
def browser(chromium):
    return chromium()


def test_a_click_on_a_point_plays_its_recording(tmp_path, rng, browser):
    odd = tmp_path / "a <b> & c's #1.wav"
    samples, rate = soundfile.read(MY_WAVS / "slt_three.wav")
    soundfile.write(odd, samples, rate)
    paths = [str(odd)] + [str(MY_WAVS / f"{name}.wav") for name in
                          ("slt_fox", "slt_hello", "rms_morning", "kal_count", "awb_weather")
                          if (MY_WAVS / f"{name}.wav").is_file()]
    rows = [{"path": path, "gender": ("female", "male")[i % 2], "speaker": f"s{i}</script>",
             "mistake": i == 1} for i, path in enumerate(paths)]
    rows[2]["part"] = (0.4, 0.7)
    write_projection(tmp_path / "out", rows, rng.normal(size=(len(rows), 5)),
                     ("gender", "speaker"), "made")
    assert (tmp_path / "out/projection.png").stat().st_size > 10_000
    page, errors, hosts = browser.new_page(), [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: hosts.append(request.url.split("/")[2]))
    page.goto((tmp_path / "out/projection.html").as_uri())
    circles = page.locator("circle")
    assert circles.count() == len(rows)
    circles.nth(0).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('sound').currentTime > 0")
    duration = page.evaluate("document.getElementById('sound').duration")
    assert duration == pytest.approx(len(samples) / rate, abs=0.05)
    assert odd.name in page.locator("#said").inner_text()
    circles.nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('sound').paused"
                           " && document.getElementById('sound').currentTime > 0.6")
    assert page.evaluate("document.getElementById('sound').currentTime") < 1.0
    before = [circles.nth(i).get_attribute("cx") for i in range(len(rows))]
    page.select_option("#view", "UMAP")
    assert before != [circles.nth(i).get_attribute("cx") for i in range(len(rows))]
    page.select_option("#colour", "speaker")
    assert len({circles.nth(i).get_attribute("fill") for i in range(len(rows))}) == len(rows)
    assert circles.nth(1).get_attribute("stroke") and not circles.nth(0).get_attribute("stroke")
    assert not errors and not any(hosts)
    assert json.loads(page.evaluate("JSON.stringify(rows.map(row => row.name))"))[0] == odd.name
