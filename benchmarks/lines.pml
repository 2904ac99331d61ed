/* Two vCPUs that move between three HARTs of few lines, and CPU hotplug that takes the lines of
 * HART 0 away; benchmarks/spin.py has the same steps.  -DROUNDS=n: how often HART 0 goes offline;
 * -DBROKEN: it comes back with its bitmap and its lock as they were at boot.
 */
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define NOBODY 0
#define LINES 3

bit locked[3];
byte bitmap[3];
byte owner[9];
byte file_cpu[3];
byte file_line[3];

#define OWNER(cpu, line) owner[LINES * cpu + line]

inline lock(cpu) { atomic { !locked[cpu] -> locked[cpu] = 1 } }
inline unlock(cpu) { atomic { assert(locked[cpu]); locked[cpu] = 0 } }

inline take_line(cpu, who, line) {
  lock(cpu);
  seen = bitmap[cpu];
  line = 0;
  if
  :: seen & 2 -> line = 1
  :: !(seen & 2) && (seen & 4) -> line = 2
  :: else -> skip
  fi;
  if
  :: line ->
     bitmap[cpu] = seen & ~(1 << line);
     atomic { assert(OWNER(cpu, line) == NOBODY); OWNER(cpu, line) = who }
  :: else -> skip
  fi;
  unlock(cpu)
}

inline give_back(cpu, line) {
  lock(cpu);
  seen = bitmap[cpu];
  if
  :: !(seen & (1 << line)) ->
     bitmap[cpu] = seen | (1 << line);
     OWNER(cpu, line) = NOBODY
  :: else -> skip
  fi;
  unlock(cpu)
}

inline exchange(who, cpu, line) {
  d_step {
    old_cpu = file_cpu[who]; old_line = file_line[who];
    file_cpu[who] = cpu; file_line[who] = line
  }
}

proctype move(byte who; byte first; byte second) {
  byte n, cpu, line, seen, old_cpu, old_line;
  do
  :: n < 2 ->
     d_step { cpu = (n == 0 -> first : second); line = 0; old_cpu = 0; old_line = 0 }
     take_line(cpu, who, line);
     exchange(who, cpu, line);
     if
     :: old_line -> give_back(old_cpu, old_line)
     :: else -> skip
     fi;
     n++
  :: else -> break
  od
}

proctype hotplug() {
  byte n, line, who, seen, old_cpu, old_line;
  do
  :: n < ROUNDS ->
     lock(0);
     line = 1;
     do
     :: line < LINES ->
        who = OWNER(0, line);
        if
        :: who != NOBODY ->
           unlock(0);
           exchange(who, 3, 0);
           if
           :: old_line -> give_back(old_cpu, old_line)
           :: else -> skip
           fi;
           lock(0)
        :: else -> skip
        fi;
        line++
     :: else -> break
     od;
     unlock(0);
#ifdef BROKEN
     bitmap[0] = 6;
     locked[0] = 0;
#endif
     n++
  :: else -> break
  od
}

init {
  atomic {
    bitmap[0] = 4; bitmap[1] = 4; bitmap[2] = 6;
    OWNER(0, 1) = 1; OWNER(1, 1) = 2;
    file_cpu[1] = 0; file_line[1] = 1; file_cpu[2] = 1; file_line[2] = 1;
    run move(1, 1, 0); run move(2, 0, 2); run hotplug()
  }
}
