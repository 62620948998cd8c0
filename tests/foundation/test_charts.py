from issuer.foundation.charts import Band, LineChart, line_chart


class TestLineChart:
    def test_spans_its_box_from_the_lowest_to_the_highest_value(self) -> None:
        chart = line_chart([(0, 10_000), (10, 10_050), (20, 10_100)], width=100, height=20)

        assert chart == LineChart(100, 20, ("0,20 50,10 100,0",), (), None, 10_000, 10_100)

    def test_breaks_where_a_value_is_not_known(self) -> None:
        points = [(0, 1), (1, 3), (2, None), (3, 1), (4, None), (5, 3), (6, 1)]

        chart = line_chart(points, width=60, height=10)

        assert chart is not None
        assert chart.segments == ("0,10 10,0", "50,0 60,10")
        assert chart.dots == ((30, 10),)

    def test_always_has_its_guide_in_view(self) -> None:
        chart = line_chart([(0, 10_100), (1, 10_200)], width=10, height=20, guide=10_000)

        assert chart is not None
        assert (chart.guide, chart.low, chart.high) == (20, 10_000, 10_200)

    def test_draws_a_single_value_in_the_middle(self) -> None:
        chart = line_chart([(5, 7)], width=10, height=20)

        assert chart is not None
        assert chart.dots == ((5, 10),)

    def test_is_nothing_where_nothing_is_known(self) -> None:
        assert line_chart([(0, None), (1, None)], width=10, height=20, guide=1) is None
        assert line_chart([], width=10, height=20) is None

    def test_marks_stretches_as_far_as_they_are_in_the_box(self) -> None:
        stretches = [
            ("HALTED", 20, 40),
            ("REDEEM_ONLY", -50, 10),
            ("UNKNOWN", 90, 300),
            ("HALTED", 50, 50),
            ("HALTED", 101, 200),
            ("HALTED", -9, -1),
        ]

        chart = line_chart([(0, 1), (80, 2)], width=200, height=10, end=100, stretches=stretches)

        assert chart is not None
        assert chart.segments == ("0,10 160,0",)
        assert chart.bands == (
            Band("HALTED", 40, 40),
            Band("REDEEM_ONLY", 0, 20),
            Band("UNKNOWN", 180, 20),
            Band("HALTED", 100, 1),
        )

    def test_marks_all_of_a_box_of_one_instant(self) -> None:
        chart = line_chart([(5, 1)], width=20, height=10, stretches=[("HALTED", 0, 9)])

        assert chart is not None
        assert chart.bands == (Band("HALTED", 0, 20),)
