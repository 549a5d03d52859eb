"""One phone call, from ring to receipt: Call, Turn; lifecycle, routing, history."""
