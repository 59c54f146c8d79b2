package strategies_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/strategies"
)

func TestAContactThatIsNotTouchedComesBackAsItWas(t *testing.T) {
	t.Parallel()
	p := open(t)
	r, err := p.Run(t.Context(), job(strategies.Aggregation, head+"    return contact\n"), call(contactJSON))
	require.NoError(t, err)
	require.Nil(t, r.Err)
	require.JSONEq(t, contactJSON, string(r.Contact))

	looks := head + `    for c in contact.communications:
        c.status.status, c.status.at, c.start_date, c.expires_at, c.timeout, c.id, c.channel, c.attempt
    contact.timezone, contact.campaign_parameters["due"], repr(contact), contact.attempts("x")
    return contact
`
	r, err = p.Run(t.Context(), job(strategies.Aggregation, looks), call(contactJSON))
	require.NoError(t, err)
	require.Nil(t, r.Err)
	require.JSONEq(t, contactJSON, string(r.Contact), "looking changes nothing")
}

func TestTheObjectsDoWhatTheGuideSays(t *testing.T) {
	t.Parallel()
	p := open(t)
	// Each body holds assertions in Python; the worker's error names the line that does not hold.
	for name, body := range map[string]string{
		"names and aliases": `
    assert contact.object_id == "CONTRACT-1" and contact.campaign_parameters is contact.parameters
    assert contact.campaign_results is contact.results
    contact.campaign_results = {"a": 1}
    assert contact.results == {"a": 1}
    assert contact.timezone == "Europe/Berlin"
`,
		"communications": `
    sent, planned = contact.communications
    assert sent.flagged and sent.status.status is CommunicationStatus.SENT and sent.status == "SENT"
    assert sent.status == CommunicationStatus.SENT and sent.status in (CommunicationStatus.SENT,)
    assert f"{sent.status.status}" == "SENT" and str(sent.status) == "SENT"
    assert sent.timeout == timedelta(hours=72) and planned.timeout is None
    assert sent.expires_at is None and planned.expires_at.day == 30
    assert sent.status.at == datetime(2026, 11, 20, 10, 0, 1, 500000)
    assert sent.session_id == "se_1" and sent.attempt == 1
    assert contact.attempts("First Contact") == 1 and contact.attempts("Second Attempt") == 0
    assert contact.cancel_planned("enough") == 1
    assert planned.status == CommunicationStatus.CANCELLED and planned.status.reason == "enough"
    try:
        sent.id = "other"
        assert False
    except AttributeError:
        pass
`,
		"the clock": `
    import datetime as module, time
    from datetime import datetime as imported, date as imported_date
    assert imported is datetime and module.datetime is datetime and module.timedelta is timedelta
    now = datetime.now()
    assert now == kwargs["now"] and now.hour == 9 and now.utcoffset() == timedelta(hours=1)
    assert datetime.utcnow() == now and datetime.now(timezone.utc).hour == 8 and datetime.today() == now
    assert date.today() == date(2026, 11, 22) and imported_date.today() == date.today()
    naive = datetime(2026, 11, 22, 9, 0)
    assert naive == now and not naive < now and naive - now == timedelta(0) and now - naive == timedelta(0)
    assert hash(naive) == hash(now) and isinstance(now, datetime) and isinstance(now, date)
    assert contact.internal_data["seen"] < now < contact.communications[1].start_date
    assert contact.parameters["due"] == date(2026, 12, 1) and contact.parameters["due"] - date.today() == timedelta(days=9)
    assert (now + timedelta(days=1)).isoformat() == "2026-11-23T09:00:00+01:00"
    assert time.localtime(0).tm_hour == 1
    import copy, pickle
    assert copy.deepcopy(contact.internal_data)["seen"] == contact.internal_data["seen"]
`,
		"local times": `
    contact.timezone = "America/New_York"
    at = contact.at(date(2026, 12, 1), "10:00")
    assert at.isoformat() == "2026-12-01T10:00:00-05:00"
    assert contact.at("2026-12-01", "9:30").hour == 9
    assert contact.at(datetime.now(), "10:00").day == 22
    contact.timezone = "Europe/Berlin"
    assert contact.at(date(2027, 3, 28), "02:30").isoformat() == "2027-03-28T03:30:00+02:00"
    assert contact.at(date(2026, 7, 1), time(8, 0)).utcoffset() == timedelta(hours=2)
`,
		"kwargs": `
    assert kwargs["campaign"].name == "Debts" and kwargs["campaign"]["id"] == "cmp_1"
    assert [s.name for s in kwargs["stages"]] == ["First Contact", "Second Attempt"]
    assert kwargs["communication"] is contact.communications[0]
    assert kwargs["session"].messages[0].content == "hi" and kwargs["idempotency_key"] == "ct_1/7"
    assert kwargs["secrets"]["token"] == "s3"
    assert "rules" not in kwargs and "communication_id" not in kwargs
    try:
        kwargs["campaign"]["name"] = "x"
        assert False
    except TypeError:
        pass
`,
		"the calendar": `
    c = kwargs["calendar"]
    assert c.add_business_days(date(2026, 11, 20), 1) == date(2026, 11, 23)
    assert c.add_business_days(date(2026, 12, 24), 1) == date(2026, 12, 28)
    assert c.add_business_days(date(2026, 11, 23), -1) == date(2026, 11, 20)
    assert c.add_business_days(datetime.now(), 1) == datetime.now() + timedelta(days=1)
    assert c.is_open(datetime(2026, 11, 23, 9, 0), "sip") and not c.is_open(datetime(2026, 11, 23, 8, 59), "sip")
    assert not c.is_open(datetime(2026, 11, 23, 20, 0), "sip") and not c.is_open(datetime(2026, 11, 22, 12, 0), "sip")
    assert c.is_open(datetime(2026, 11, 22, 12, 0), "email") and not c.is_open(datetime(2026, 12, 25, 12, 0), "email")
`,
		"logging": `
    import logging
    logger.info("a %s", 1)
    logger.debug("{}")
    logging.getLogger("lib").warning("from %s", "lib")
    print("one", end="")
    print(" line")
    Communication(name="x", stage_name="y", colour="red")
`,
		"imports": `
    import json, re, math, asyncio, collections, decimal, urllib.request, hashlib
    from dataclasses import dataclass
    from campaigns import Contact as C
    import campaigns
    assert C is Contact and campaigns.Message is Message
    @dataclass
    class Offer:
        amount: int | None = None
    assert Offer(3).amount == 3
    assert await asyncio.gather(asyncio.sleep(0, 1), asyncio.to_thread(lambda: 2)) == [1, 2]
    async with asyncio.timeout(1) if hasattr(asyncio, "timeout") else asyncio.Lock():
        await asyncio.wait_for(asyncio.sleep(0.01), 1)
`,
	} {
		t.Run(name, func(t *testing.T) {
			j := job(strategies.Aggregation, "from campaigns import *\nfrom datetime import time\n"+head+body+"    return contact\n")
			j.Kwargs = json.RawMessage(`{"campaign":{"id":"cmp_1","name":"Debts"},"stages":[{"name":"First Contact"},{"name":"Second Attempt"}],
				"secrets":{"token":"s3"},"holidays":["2026-12-25"],"rules":{"hours":{"sip":{"mon":[["09:00","20:00"]]}}}}`)
			c := call(contactJSON)
			c.Kwargs = json.RawMessage(`{"communication_id":"ct_1-1","idempotency_key":"ct_1/7","session":{"messages":[{"content":"hi"}]}}`)
			_, r := run(t, p, j, c)
			require.Nil(t, r.Err)
			if name == "logging" {
				require.Equal(t, []strategies.Log{
					{Level: "info", Message: "a 1"},
					{Level: "debug", Message: "{}"},
					{Level: "warning", Message: "from lib"},
					{Level: "print", Message: "one line"},
					{Level: "warning", Message: "Communication(colour): unknown setting ignored"},
				}, r.Logs)
			}
		})
	}
}

func TestWhatAStrategyPlansIsNormalised(t *testing.T) {
	t.Parallel()
	p := open(t)
	d, r := run(t, p, job(strategies.Aggregation, head+`
    contact.communications = [
        Communication("a", "One", datetime(2026, 12, 1, 10, 0), timeout=timedelta(hours=72), expires_at="2026-12-24"),
        Communication(name="b", stage_name="Two", start_date=date(2026, 7, 1), timeout="3d", params={"x": timedelta(minutes=90)}),
        Communication(name="c", stage_name="Three", start_date="2026-12-01T10:00:00.25+02:00", timeout=timedelta(seconds=90), status="canceled"),
        Communication(name="d", stage_name="Four"),
    ]
    contact.communications[3].status = CommunicationStatus.SKIPPED
    contact.email = None
    contact.outcome = "success"
    contact.internal_data = {"at": datetime(2026, 12, 1, 10, 0), "on": date(2026, 12, 1), "list": (1, None, "ü")}
    contact.timezone = "Asia/Tokyo"
    return contact
`), call(contactJSON))
	require.Nil(t, r.Err)
	one, two, three, four := d.Communications[0], d.Communications[1], d.Communications[2], d.Communications[3]
	require.Equal(t, time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), one.StartDate)
	require.Equal(t, "72h", one.Timeout)
	require.Equal(t, "2026-12-23T23:00:00Z", *one.ExpiresAt)
	require.Equal(t, time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC), two.StartDate)
	require.Equal(t, "72h", two.Timeout)
	require.Equal(t, map[string]any{"x": "5400s"}, two.Params)
	require.Equal(t, time.Date(2026, 12, 1, 8, 0, 0, 250_000_000, time.UTC), three.StartDate)
	require.Equal(t, "90s", three.Timeout)
	require.Equal(t, "CANCELED", three.Status.Status)
	require.Equal(t, morning, four.StartDate)
	require.Equal(t, "SKIPPED", four.Status.Status)
	require.Equal(t, "success", *d.Outcome)
	require.Equal(t, "Asia/Tokyo", d.Timezone)
	require.Equal(t, map[string]any{
		"at": map[string]any{"$dt": "2026-12-01T09:00:00Z"}, "on": map[string]any{"$d": "2026-12-01"}, "list": []any{1.0, nil, "ü"},
	}, d.InternalData)
	require.JSONEq(t, `{"cause":"stage","since":"2026-11-20T00:00:00Z"}`, string(d.Held))
}

func TestABadResultSaysWhatAndWhere(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.ResultBytes = 100 << 10 })
	for _, tc := range []struct{ body, says string }{
		{"contact.name = 7", "name: must be text, not int"},
		{"contact.outcome = 'won'", `outcome: must be None, "success" or "failure", not 'won'`},
		{"contact.timezone = 'Mars/Base'", "timezone: unknown time zone 'Mars/Base'"},
		{"contact.parameters = []", "parameters: must be a dictionary, not list"},
		{"contact.communications = None", "communications: must be a list, not NoneType"},
		{"contact.communications.append({})", "communications[2]: must be a Communication, not dict"},
		{"contact.communications[0].status = 'BOGUS'", "communications[0].status.status: must be one of PLANNED"},
		{"contact.communications[1].status.status = 5", "communications[1].status.status: must be one of"},
		{"contact.communications[1].start_date = 12", "communications[1].start_date: must be a datetime, a date or ISO 8601 text, not int"},
		{"contact.communications[1].start_date = 'soon'", "communications[1].start_date: "},
		{"contact.communications[1].timeout = 'long'", "communications[1].timeout: must be a duration"},
		{"contact.communications[1].timeout = timedelta(-1)", "communications[1].timeout: must not be negative"},
		{"contact.communications.append(Communication(name='x'))", "communications[2].stage_name: must name a stage"},
		{"contact.communications[1].params['f'] = open", "communications[1].params.f: a builtin_function_or_method cannot be stored"},
		{"contact.internal_data['n'] = float('nan')", "internal_data.n: nan cannot be stored"},
		{"contact.results['k'] = {(1, 2): 3}", "results.k: a key must be text, not tuple"},
		{"contact.results['me'] = contact.results", "results.me: contains itself"},
		{"contact.internal_data['big'] = 'x' * 200000", "the contact is 19"},
		{"x = []; contact.results['deep'] = x\n    for _ in range(5000): y = []; x.append(y); x = y", "nested deeper than 100 levels"},
		{"contact = {'id': 'ct_1'}", "the strategy must return the contact, it returned a dict"},
	} {
		t.Run(tc.body, func(t *testing.T) {
			_, r := run(t, p, job(strategies.Aggregation, head+"    "+tc.body+"\n    return contact\n"), call(contactJSON))
			require.NotNil(t, r.Err)
			require.Equal(t, strategies.KindBadResult, r.Err.Kind)
			require.Contains(t, r.Err.Message, tc.says)
			require.False(t, r.Err.Transient())
		})
	}
	_, r := run(t, p, job(strategies.Aggregation, head+"    return contact\n"), call(contactJSON))
	require.Nil(t, r.Err, "an error leaves nothing behind")
}

func TestArgumentsComeAsTheFunctionTakesThem(t *testing.T) {
	t.Parallel()
	p := open(t)
	for name, tc := range map[string]struct {
		kind strategies.Type
		code string
	}{
		"other names":           {strategies.Aggregation, "async def run(c, r, log, **rest):\n    log.info(r.get('x'))\n    return c\n"},
		"a plain function":      {strategies.Aggregation, "def run(contact, session_results, logger, **kwargs):\n    return contact\n"},
		"no kwargs":             {strategies.Aggregation, "async def run(contact, session_results, logger):\n    return contact\n"},
		"named keywords":        {strategies.Aggregation, "async def run(contact, session_results, logger, now, *, campaign, colour='red'):\n    assert now.hour == 9\n    return contact\n"},
		"only stars":            {strategies.Aggregation, "async def run(*args, **kwargs):\n    assert len(args) == 3\n    return args[0]\n"},
		"a callable object":     {strategies.DataLoad, "class Run:\n    async def __call__(self, contact, existing_contact, logger, **kwargs):\n        return contact\nrun = Run()\n"},
		"a logger in an answer": {strategies.AgentAnswer, "async def on_agent_answer(contact, message, logger, **kwargs):\n    logger.info(message.role)\n    return contact\n"},
		"the message":           {strategies.AgentAnswer, "async def on_agent_answer(contact, message, **kwargs):\n    assert (message.author, message.role, message.content, message.id, message.created_at.hour) == ('agent', 'agent', 'hi', 'm1', 9)\n    assert kwargs['logger']\n    return contact\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := call(contactJSON)
			c.Message = json.RawMessage(`{"id":"m1","author":"agent","content":"hi","at":"2026-11-22T08:00:00Z"}`)
			d, r := run(t, p, job(tc.kind, tc.code), c)
			require.Nil(t, r.Err)
			require.Equal(t, "John Smith", d.Name)
		})
	}
	t.Run("None is no change for an answer", func(t *testing.T) {
		r, err := p.Run(t.Context(), job(strategies.AgentAnswer, "def on_agent_answer(contact, message, **kwargs): pass\n"), call(contactJSON))
		require.NoError(t, err)
		require.Nil(t, r.Err)
		require.Nil(t, r.Contact)
	})
}
