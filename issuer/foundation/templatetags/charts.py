"""Line charts as SVG in a page."""

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from issuer.foundation.charts import LineChart

register = template.Library()


@register.simple_tag
def line_chart(chart: LineChart) -> SafeString:
    """Draw a chart; its figures stand beside it in words, so that readers aloud skip it."""
    guide = SafeString("")
    if chart.guide is not None:
        guide = format_html(
            '<line class="guide" x1="0" x2="{}" y1="{}" y2="{}"/>',
            chart.width,
            chart.guide,
            chart.guide,
        )
    return format_html(
        '<svg class="chart" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">'
        "{2}{3}{4}{5}</svg>",
        chart.width,
        chart.height,
        format_html_join(
            "",
            '<rect class="band {}" x="{}" y="0" width="{}" height="{}"/>',
            ((band.kind.lower(), band.x, band.width, chart.height) for band in chart.bands),
        ),
        guide,
        format_html_join("", '<polyline points="{}"/>', ((line,) for line in chart.segments)),
        format_html_join("", '<circle cx="{}" cy="{}" r="2"/>', chart.dots),
    )
