package pools

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHowManyMembersAPoolLacks(t *testing.T) {
	for _, tc := range []struct {
		title string
		c     Capacity
		n     counts
		lack  int
	}{
		{"new: the middle of the buffer", Capacity{BufferMin: 1, BufferMax: 3, PoolMax: 10}, counts{}, 2},
		{"what is on its way counts", Capacity{BufferMin: 1, BufferMax: 3, PoolMax: 10}, counts{making: 2}, 0},
		{"within its bounds the buffer is left alone", Capacity{BufferMin: 1, BufferMax: 3, PoolMax: 10}, counts{idle: 1, claimed: 4}, 0},
		{"below its least it is filled to the middle", Capacity{BufferMin: 1, BufferMax: 3, PoolMax: 10}, counts{claimed: 5}, 2},
		{"rounding does not go below the least", Capacity{BufferMin: 1, BufferMax: 2, PoolMax: 10}, counts{}, 1},
		{"above its most it shrinks to the middle", Capacity{BufferMin: 1, BufferMax: 3, PoolMax: 10}, counts{idle: 5}, -3},
		{"poolMax bounds all", Capacity{BufferMin: 4, BufferMax: 4, PoolMax: 6}, counts{claimed: 5}, 1},
		{"poolMax is reached", Capacity{BufferMin: 4, BufferMax: 4, PoolMax: 6}, counts{claimed: 6}, 0},
		{"poolMax was lowered: idle ones go", Capacity{BufferMin: 4, BufferMax: 4, PoolMax: 6}, counts{idle: 4, claimed: 5}, -3},
		{"claimed ones never go", Capacity{BufferMin: 0, BufferMax: 0, PoolMax: 1}, counts{idle: 1, claimed: 5}, -1},
		{"members on their way cannot be taken back", Capacity{PoolMax: 9}, counts{making: 3}, 0},
		{"poolMin is kept without demand", Capacity{BufferMax: 1, PoolMax: 9, PoolMin: 5}, counts{}, 5},
		{"poolMin counts claimed ones", Capacity{BufferMax: 1, PoolMax: 9, PoolMin: 5}, counts{claimed: 5}, 0},
		{"what is being removed takes room", Capacity{BufferMin: 3, BufferMax: 3, PoolMax: 4}, counts{leaving: 3}, 1},
		{"nothing is wanted", Capacity{}, counts{}, 0},
	} {
		t.Run(tc.title, func(t *testing.T) { require.Equal(t, tc.lack, tc.c.lack(tc.n)) })
	}
}

// Whatever the numbers, a plan never goes beyond poolMax and never removes what is not there.
func FuzzPlan(f *testing.F) {
	f.Add(uint8(1), uint8(3), uint8(10), uint8(0), uint8(0), uint8(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, low, high, most, least, making, idle, claimed, leaving uint8) {
		c := Capacity{BufferMin: int(min(low, high)), BufferMax: int(max(low, high)), PoolMin: int(min(least, most)), PoolMax: int(max(least, most))}
		n := counts{int(making), int(idle), int(claimed), int(leaving)}
		lack := c.lack(n)
		require.GreaterOrEqual(t, lack, -n.idle)
		if lack > 0 {
			require.LessOrEqual(t, n.total()+n.leaving+lack, c.PoolMax)
		}
	})
}

func TestAPoolThatFailsRestsLongerAndLonger(t *testing.T) {
	require.Zero(t, pause(0))
	require.Equal(t, time.Second, pause(1))
	require.Equal(t, 4*time.Second, pause(3))
	require.Equal(t, time.Minute, pause(7))
	require.Equal(t, time.Minute, pause(1<<20))
}

// A template whose command ends at once is not made over and over: it rests between its
// members until one has lived to be claimed.
func TestMembersThatEndAreNotMadeAtFullSpeed(t *testing.T) {
	p := &pool{Pool: Pool{Name: "py", Capacity: Capacity{BufferMin: 1, BufferMax: 1, PoolMax: 9}}}
	s := &Set{pools: map[string]*pool{"py": p}, members: map[string]*member{}, metrics: newMetrics(), wake: make(chan struct{}, 1)}
	idles := func(id string) {
		p.idle = append(p.idle, id)
		s.members[id] = &member{p, idle}
	}
	for n := 1; n <= 3; n++ {
		idles("a")
		s.Unfit("a")
		s.Unfit("a") // hearing it twice is no second failure
		s.Gone("a")
		found, wait := s.neediest(time.Now())
		require.Nil(t, found)
		require.Greater(t, wait, pause(n)/2)
		require.LessOrEqual(t, wait, pause(n))
		found, _ = s.neediest(time.Now().Add(pause(n)))
		require.Equal(t, p, found)
	}
	idles("b")
	_, err := s.Take("py")
	require.NoError(t, err)
	require.Zero(t, p.failures)
}
