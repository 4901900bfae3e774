import { ContainerModule } from 'inversify';
import type * as ports from '../core/ports/index.ts';
import * as tokens from './tokens.ts';

/**
 * The container module of a backend: one binding for each port that it brings. A port that it lacks stays unbound, so
 * that the commands which need it do not exist.
 */
export const backendModule = (backend: ports.Backend): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(tokens.Clock).toConstantValue(backend.clock);
    if (backend.fileSystem) bind(tokens.FileSystem).toConstantValue(backend.fileSystem);
    if (backend.power) bind(tokens.Power).toConstantValue(backend.power);
    if (backend.network) bind(tokens.Network).toConstantValue(backend.network);
    if (backend.processes) bind(tokens.Processes).toConstantValue(backend.processes);
    if (backend.accounts) bind(tokens.Accounts).toConstantValue(backend.accounts);
    if (backend.processors) bind(tokens.Processors).toConstantValue(backend.processors);
    if (backend.memory) bind(tokens.Memory).toConstantValue(backend.memory);
    if (backend.host) bind(tokens.Host).toConstantValue(backend.host);
    if (backend.hooks) bind(tokens.Hooks).toConstantValue(backend.hooks);
  });
