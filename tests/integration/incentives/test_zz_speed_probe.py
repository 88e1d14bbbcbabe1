import time, json, resource
from datetime import date, datetime, UTC
from uuid import uuid4
import sqlalchemy as sa
from services.incentives.models import EnterpriseCopy, Fact
from shared.codes.uscc import *
def test_speed(system, as_role):
    db=system.contexts["incentives"].db
    n=100_000
    usccs=[f"91430200MA{i:08d}" for i in range(n)]
    now=datetime.now(UTC)
    with db.begin() as tx:
        for k in range(0,n,5000):
            part=usccs[k:k+5000]
            tx.execute(sa.insert(EnterpriseCopy),[dict(uscc=u,name="某某铝业有限公司",division="430202",industry="3216",status="active",version=1,deregistered_on=None) for u in part])
            rows=[]
            for i,u in enumerate(part):
                rows+= [dict(uscc=u,code="enterprise",value=dict(name="x",division="430202",industry="3216",status="active",version=1,deregistered_on=None),valid_from=date.min,valid_to=None,recorded_at=now),
                 dict(uscc=u,code="al_kwh_per_t",value={"value":str(13310+(i%1500))},valid_from=date(2025,1,1),valid_to=date(2025,12,31),recorded_at=now),
                 dict(uscc=u,code="renewable_share_pct",value={"value":"8"},valid_from=date(2025,1,1),valid_to=date(2025,12,31),recorded_at=now),
                 dict(uscc=u,code="grid_account",value={"value":u},valid_from=date(2025,1,1),valid_to=None,recorded_at=now)]
            tx.execute(sa.insert(Fact),rows)
    with db.begin() as tx: tx.execute(sa.text("ANALYZE"))
    office=as_role("provincial_industry")
    t=time.time(); m0=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    r=office.post("/incentives/v1/tier-lists/2026-11/publish",{"document_no":"x","settlement_mode":"PROSPECTIVE","effective_from":"2026-12-01"})
    print("publish",r.status_code,time.time()-t,r.json().get("rows"),"MB",(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss-m0)/1024, len(json.dumps(r.json()["control_totals"])))
    for acc in ("application/x-ndjson","text/csv"):
        t=time.time()
        r=office.get("/incentives/v1/tier-lists/2026-11",headers={"Accept":acc})
        print(acc,r.status_code,len(r.content),n/(time.time()-t),"rows/s")
    t=time.time()
    with db.connection() as c:
        with c.cursor() as cur:
            with cur.copy("COPY (SELECT id,list_version,account_no,uscc,name,instrument,price_year,data_year,metric_value,threshold,rate_yuan_per_kwh,effective_from,effective_to,supersedes,legal_basis FROM tier_entry ORDER BY position) TO STDOUT (FORMAT csv)") as cp:
                size=sum(len(b) for b in cp)
    print("copy",n/(time.time()-t),"rows/s",size)
    u=usccs[5]; t=time.time()
    for i in range(50): r=office.get(f"/incentives/v1/enterprises/{u}/decisions")
    print("get", (time.time()-t)/50*1000,"ms")
