"""The seed's kind of service at its best: FastAPI, async, a plain dict as reply, uvloop and httptools under it."""
import json
import os
import time

import redis.asyncio as redis
from fastapi import FastAPI, HTTPException, Path, Query

app = FastAPI()
store = redis.Redis(
    host=os.environ["REDIS_ENDPOINT"], port=int(os.environ["REDIS_PORT"]), decode_responses=True
)


@app.get("/recommend/cached/{user_id}")
async def cached(user_id: int = Path(ge=1), top_n: int = Query(default=20, ge=1, le=100)):
    start = time.perf_counter()
    found = await store.get(f"rec:user:{user_id}:top{top_n}")
    if found is None:
        raise HTTPException(status_code=404)
    recommendations = json.loads(found)
    return {
        "user_id": user_id,
        "recommendations": recommendations,
        "count": len(recommendations),
        "from_cache": True,
        "latency_ms": round((time.perf_counter() - start) * 1000),
    }
